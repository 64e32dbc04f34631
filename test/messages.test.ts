import test from 'ava'
import { openStage } from './support/room.ts'

test('Alice and Bob talk', async (t) => {
  const stage = await openStage(t)
  const alice = await stage.user('alice')
  const bob = await stage.user('bob')
  const heard = bob.messages()
  const listening = heard.next()
  const stored = await alice.send('bob', '你好, Bob 😀\n\tsecond line', {
    style: { font: '宋体', fontSize: 14, color: '#ff0000' },
  })
  const { value } = await listening
  t.like(value, {
    id: stored.id,
    kind: 'chat',
    from: 'alice',
    to: 'bob',
    text: '你好, Bob 😀\n\tsecond line',
    sentAt: stored.sentAt,
    style: { font: '宋体', fontSize: 14, color: '#ff0000' },
  })
})

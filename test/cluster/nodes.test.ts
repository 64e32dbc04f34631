import test from 'ava'
import { startNodes } from '../support/cluster/nodes.ts'

test('Ann registers on one node, and finds on another one what Bob has written to her', async (t) => {
  const [one, two] = await startNodes(t, 2)
  if (one === undefined || two === undefined) return t.fail()
  const ann = await one.user('ann')
  await ann.close()
  const bob = await one.user('bob')
  await bob.send('ann', 'hello')
  const again = await two.user('ann')
  t.is(one.server.fingerprint, two.server.fingerprint)
  t.deepEqual(
    (await again.inbox()).messages.map(({ text }) => text),
    ['hello'],
  )
})

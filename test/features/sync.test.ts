import test from 'ava'
import {
  Acknowledge,
  AcknowledgeRoom,
  ChatroomMessage,
  type Client,
  CreateRoom,
  JoinRoom,
  LeaveRoom,
  QueryReadPositions,
  Sync,
} from '../../client/index.ts'
import { startLocalServer } from '../support/server.ts'

/** Everything after a number, in pages of `limit`: texts of messages, and recalls as `-id`. */
async function syncOf(client: Client, after: number, limit = 0): Promise<{ log: string[]; upTo: number }> {
  const log: string[] = []
  for (let from = after; ; ) {
    const { upTo, more, entries } = await client.request(Sync, { after: from, limit })
    for (const { entry, id, text } of entries) log.push(entry === 1 ? text : `-${id}`)
    if (!more) return { log, upTo }
    from = upTo
  }
}

test('Alice syncs what she has missed: own messages, others’, groups’ and recalls, in the order of commits', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob, carol] = [await stage.user('alice'), await stage.user('bob'), await stage.user('carol')]
  await alice.request(CreateRoom, { group: 'team', open: true })
  await bob.request(JoinRoom, { group: 'team' })
  const old = await bob.send('alice', 'known')
  const { upTo } = await syncOf(alice, 0)

  const desk = await stage.user('alice')
  await alice.close()
  await bob.send('alice', 'one')
  await desk.send('bob', 'two, from the desk')
  await bob.request(ChatroomMessage, { group: 'team', text: 'three' })
  await bob.recall(old.id)
  await bob.send('carol', 'not for Alice')
  const slip = await bob.send('alice', 'a slip')
  await bob.recall(slip.id)
  await desk.request(ChatroomMessage, { group: 'team', text: 'four' })
  await desk.send('alice', 'a note to myself')

  const missed = ['one', 'two, from the desk', 'three', `-${old.id}`, `-${slip.id}`, 'four', 'a note to myself']
  const back = await stage.user('alice')
  for (const limit of [0, 1, 2, 3]) t.deepEqual((await syncOf(back, upTo, limit)).log, missed, `pages of ${limit}`)
  t.deepEqual((await syncOf(back, (await syncOf(back, upTo)).upTo)).log, [], 'nothing more after it')
  t.deepEqual((await syncOf(carol, 0)).log, ['not for Alice'])
})

test('Bob syncs no messages of a group from before he joined or after he left', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  await alice.request(CreateRoom, { group: 'team', open: true })
  await alice.request(ChatroomMessage, { group: 'team', text: 'before' })
  await bob.request(JoinRoom, { group: 'team' })
  await alice.request(ChatroomMessage, { group: 'team', text: 'meanwhile' })
  t.deepEqual((await syncOf(bob, 0)).log, ['meanwhile'])
  await bob.request(LeaveRoom, { group: 'team' })
  await alice.request(ChatroomMessage, { group: 'team', text: 'after' })
  t.deepEqual((await syncOf(bob, 0)).log, [])
})

test('read positions are the same on all devices: of groups, of own reading and of others’', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  await alice.request(CreateRoom, { group: 'team', open: true })
  await bob.request(JoinRoom, { group: 'team' })
  const first = await alice.send('bob', 'first')
  await alice.send('bob', 'second')
  const answer = await bob.send('alice', 'answer')
  const post = await alice.request(ChatroomMessage, { group: 'team', text: 'hello' })
  await bob.request(Acknowledge, { from: 'alice', upTo: first.id })
  await bob.request(AcknowledgeRoom, { group: 'team', upTo: post.id })
  await alice.request(Acknowledge, { from: 'bob', upTo: answer.id })

  const positionsOf = async (client: Client) => {
    const found = []
    for (let cursor = 0; ; ) {
      const { next, positions } = await client.request(QueryReadPositions, { cursor })
      found.push(...positions)
      if (next === 0) return found
      cursor = next
    }
  }
  t.deepEqual(await positionsOf(await stage.user('bob')), [
    { with: 'alice', group: '', own: first.id, other: answer.id },
    { with: '', group: 'team', own: post.id, other: 0 },
  ])
  t.deepEqual(await positionsOf(await stage.user('alice')), [
    { with: 'bob', group: '', own: answer.id, other: first.id },
    { with: '', group: 'team', own: 0, other: 0 },
  ])
})

test('numbers of the log have no gaps, whatever was repeated or refused in between', async (t) => {
  const stage = await startLocalServer(t)
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const first = await alice.send('bob', 'once', { clientId: 'a' })
  t.is((await alice.send('bob', 'once', { clientId: 'a' })).id, first.id)
  await t.throwsAsync(alice.request(ChatroomMessage, { group: 'nowhere', text: 'x' }))
  t.is((await alice.send('bob', 'next')).id, first.id + 1)
  await bob.request(CreateRoom, { group: 'team', open: true })
  t.is((await alice.send('bob', 'after a change')).id, first.id + 3)
})

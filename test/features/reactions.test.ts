import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { dataPaths } from '../../cli/server/paths.ts'
import {
  BlockUser,
  type Client,
  CreateRoom,
  JoinRoom,
  LeaveRoom,
  QueryReactions,
  ReactionChanged,
  type ValuesOf,
} from '../../client/index.ts'
import { nextPush, refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const GROUP = { group: 'ops' }

function heardBy(client: Client): ValuesOf<typeof ReactionChanged>[] {
  const heard: ValuesOf<typeof ReactionChanged>[] = []
  client.on(ReactionChanged, (values) => heard.push(values))
  return heard
}

async function people<const N extends string>(t: ExecutionContext, ...names: N[]) {
  const stage = await startLocalServer(t)
  const clients: Record<string, Client> = {}
  for (const name of names) clients[name] = await stage.user(name)
  return { stage, ...(clients as Record<N, Client>) }
}

test('a reaction is announced to all sessions of both users but the requesting one, and counted', async (t) => {
  const { stage, alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  const phone = await stage.user('bob')
  const { id } = await alice.send('bob', 'done')
  const [his, carols] = [heardBy(bob), heardBy(carol)]
  const hearing = [alice, phone].map((client) => nextPush(client, ReactionChanged))
  await bob.react(id, '👍')
  const about = { id, from: 'alice', to: 'bob', group: '', user: 'bob', emoji: '👍' }
  for (const told of await Promise.all(hearing)) t.deepEqual(told, { ...about, removed: false, count: 1 })
  await alice.react(id, '👍')
  await alice.react(id, '🎉')
  t.deepEqual(await bob.reactions([id]), [
    { id, emoji: '👍', count: 2, own: true },
    { id, emoji: '🎉', count: 1, own: false },
  ])
  const removed = nextPush(alice, ReactionChanged)
  await bob.react(id, '👍', { remove: true })
  t.deepEqual(await removed, { ...about, removed: true, count: 1 })
  t.deepEqual(await bob.reactions([id]), [
    { id, emoji: '👍', count: 1, own: false },
    { id, emoji: '🎉', count: 1, own: false },
  ])
  await carol.inbox()
  t.is(his.length, 2, 'those of Alice')
  t.deepEqual(carols, [])
})

test('a repeated reaction, and the removal of one that is not there, change and announce nothing', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'done')
  const heard = heardBy(alice)
  await bob.react(id, '👍', { remove: true })
  await bob.react(id, '👍')
  await bob.react(id, '👍')
  await bob.react(id, '👍', { remove: true })
  await bob.react(id, '👍')
  await alice.inbox()
  t.deepEqual(
    heard.map(({ removed, count }) => [removed, count]),
    [
      [false, 1],
      [true, 0],
      [false, 1],
    ],
  )
})

test('whoever may not read a message is refused as for an unknown one, and sees no reactions', async (t) => {
  const { alice, bob, carol, dave } = await people(t, 'alice', 'bob', 'carol', 'dave')
  await alice.request(CreateRoom, GROUP)
  await bob.request(JoinRoom, GROUP)
  const [inPrivate, inGroup] = [await alice.send('bob', 'private'), await alice.send(GROUP, 'group')]
  for (const { id } of [inPrivate, inGroup]) await bob.react(id, '👀')
  await dave.request(JoinRoom, GROUP)
  for (const outsider of [carol, dave]) {
    for (const { id } of [inPrivate, inGroup]) t.is(await refusal(t, outsider.react(id, '👍')), 'no_message')
    t.is(await refusal(t, outsider.react(inGroup.id + 1000, '👍')), 'no_message')
    t.deepEqual(await outsider.reactions([inPrivate.id, inGroup.id, inGroup.id + 1000]), [])
  }
  t.is((await alice.reactions([inPrivate.id, inGroup.id])).length, 2)
  await alice.recall(inPrivate.id)
  t.is(await refusal(t, bob.react(inPrivate.id, '👍')), 'no_message')
  t.deepEqual(await bob.reactions([inPrivate.id]), [])
})

test('a reaction in a group is announced to its readers only: not to later members, not to a sender who has left', async (t) => {
  const { alice, bob, carol, dave } = await people(t, 'alice', 'bob', 'carol', 'dave')
  await alice.request(CreateRoom, GROUP)
  for (const member of [bob, carol]) await member.request(JoinRoom, GROUP)
  const { id } = await bob.send(GROUP, 'bye')
  await dave.request(JoinRoom, GROUP)
  await bob.request(LeaveRoom, GROUP)
  const outside = [bob, dave].map(heardBy)
  const told = nextPush(alice, ReactionChanged)
  await carol.react(id, '👋')
  t.deepEqual(await told, {
    ...{ id, from: 'bob', to: '', group: 'ops', user: 'carol' },
    ...{ emoji: '👋', removed: false, count: 1 },
  })
  t.is(await refusal(t, bob.react(id, '👋')), 'no_message')
  await Promise.all([bob.inbox(), dave.inbox()])
  t.deepEqual(outside, [[], []])
})

test('a blocked user sets no reaction, but may remove one', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'hello')
  await bob.react(id, '😀')
  await alice.request(BlockUser, { user: 'bob' })
  t.is(await refusal(t, bob.react(id, '😡')), 'blocked')
  await bob.react(id, '😀', { remove: true })
  t.deepEqual(await alice.reactions([id]), [])
})

test('the emoji of one user and of one message are limited', async (t) => {
  const stage = await startLocalServer(t, { limits: { reactionsPerUser: 2, reactionEmoji: 3 } })
  const [alice, bob] = [await stage.user('alice'), await stage.user('bob')]
  const { id } = await alice.send('bob', 'hello')
  for (const emoji of ['1️⃣', '2️⃣']) await bob.react(id, emoji)
  t.is(await refusal(t, bob.react(id, '3️⃣')), 'too_many')
  await alice.react(id, '3️⃣')
  t.is(await refusal(t, alice.react(id, '4️⃣')), 'too_many', 'a fourth emoji')
  await alice.react(id, '2️⃣')
  await bob.react(id, '1️⃣', { remove: true })
  const concurrent = await Promise.allSettled(['5️⃣', '6️⃣', '7️⃣'].map((emoji) => bob.react(id, emoji)))
  t.is(concurrent.filter(({ status }) => status === 'fulfilled').length, 1)
  t.is((await bob.reactions([id])).length, 3)
})

const EMOJI = [
  '👍',
  '👍🏽',
  '❤',
  '❤️',
  '👩‍👩‍👧‍👦',
  '🏳️‍🌈',
  '🇨🇳',
  '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}',
  '#️⃣',
  '👁️‍🗨️',
  '🧑🏻‍❤️‍💋‍🧑🏿',
]
const NONE = ['a', '1', '👍👍', '👍 ', 'x👍', '👍\u0301', 'ab', '🇨', '\u200d', '<b>', '👍\u{e0067}', '👨‍', '你']

test('a reaction is one emoji, whatever it is made of', async (t) => {
  const stage = await startLocalServer(t, { limits: { reactionsPerUser: 100 } })
  const [alice] = [await stage.user('alice'), await stage.user('bob')]
  const { id } = await alice.send('bob', 'hello')
  for (const emoji of EMOJI) {
    t.is([...new Intl.Segmenter().segment(emoji)].length, 1)
    await alice.react(id, emoji)
  }
  t.deepEqual((await alice.reactions([id])).map(({ emoji }) => emoji).sort(), [...EMOJI].sort())
  for (const text of NONE) t.is(await refusal(t, alice.react(id, text)), 'invalid_value', text)
})

test('reactions to many messages come in one reply, each id once', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  const ids: number[] = []
  for (let n = 0; n < 50; n++) ids.push((await alice.send('bob', String(n))).id)
  for (const id of ids) await bob.react(id, '👍')
  t.deepEqual(
    await alice.reactions(ids.toReversed()),
    ids.map((id) => ({ id, emoji: '👍', count: 1, own: false })),
  )
  const twice = [ids[0], ids[0]].map((id) => ({ id: id as number }))
  t.is((await alice.request(QueryReactions, { ids: twice })).reactions.length, 1)
  await t.throwsAsync(alice.reactions([...ids, 1]))
})

test('a reaction by the operator as Bob is audited with the id of the message, without the emoji', async (t) => {
  const { stage, alice } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'hello')
  const operator = await stage.operator()
  await operator.actAs('bob')
  const told = nextPush(alice, ReactionChanged)
  await operator.react(id, '👍')
  t.like(await told, { user: 'bob', emoji: '👍' })
  const audit = await readFile(dataPaths(stage.data).audit, 'utf8')
  t.like(JSON.parse(audit.trim().split('\n').at(-1) ?? ''), { event: 'react', by: 'operator', as: 'bob', id })
  t.notRegex(audit, /👍/u)
})

test('reactions survive a restart of the server', async (t) => {
  const { stage, alice, bob } = await people(t, 'alice', 'bob')
  const { id } = await alice.send('bob', 'hello')
  await bob.react(id, '👍')
  await stage.close()
  const again = await startLocalServer(t, { data: stage.data })
  t.deepEqual(await (await again.user('bob')).reactions([id]), [{ id, emoji: '👍', count: 1, own: true }])
})

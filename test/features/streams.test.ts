import test from 'ava'
import {
  BlockUser,
  CloseStream,
  CreateRoom,
  FollowStreams,
  type GrowingMessage,
  JoinRoom,
  LeaveRoom,
  OpenStream,
  StreamDelta,
} from '../../client/index.ts'
import { definePlugin, Refused } from '../../core/index.ts'
import { SendMessage } from '../../plugins/index.ts'
import { type TestServer, type TestUser, testServer } from '../../testing/index.ts'
import { pieces } from '../support/pieces.ts'

const [PAUSE_MS, GRACE_MS, LIFE_MS] = [150, 15_000, 600_000]

/** Texts of growing messages as a user sees them, in order; a finished one as its id, 0 for none. */
async function follows(user: TestUser): Promise<(string | number)[]> {
  const seen: (string | number)[] = []
  await user.client.followStreams(({ text, isOver, id = 0 }) => seen.push(isOver ? id : text))
  return seen
}

/** A paced push is due. */
const shown = (server: TestServer) => server.clock.advance(PAUSE_MS)

test('a message that Alice writes piece by piece grows for Bob, and is one ordinary message in the end', async (t) => {
  await using server = await testServer()
  const [alice, bob, phone] = [await server.user('alice'), await server.user('bob'), await server.user('bob')]
  const seen = await follows(bob)
  const source = pieces()
  const sent = alice.client.stream('bob', source)
  source.give('It ')
  await shown(server)
  source.give('gr')
  source.give('ows')
  await shown(server)
  source.end()
  const { id, repeat } = (await sent) ?? {}
  t.is(repeat, false)
  await bob.hears('It grows')
  await phone.hears('It grows', { from: 'alice' })
  await server.settled()
  t.deepEqual(seen, ['', 'It ', 'It grows', id])
  const { messages } = await bob.client.inbox({ all: true })
  t.deepEqual(
    messages.map(({ id, text }) => ({ id, text })),
    [{ id, text: 'It grows' }],
    'one row',
  )
  t.like((await bob.client.search('it grows')).messages, [{ id }])
  t.is(server.status().streams, 0)
})

test('a text that grows fast is pushed at most every 150 ms, with all that came meanwhile', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen = await follows(bob)
  const source = pieces()
  const sent = alice.client.stream('bob', source)
  for (const letter of 'abcdefghij') {
    source.give(letter)
    await server.settled()
  }
  t.deepEqual(seen, [''], 'the opening was pushed; the next push is due after the pause')
  await shown(server)
  t.deepEqual(seen, ['', 'abcdefghij'])
  source.end()
  await sent
})

test('a group sees it, those who left it and strangers do not', async (t) => {
  await using server = await testServer()
  const names = ['alice', 'bob', 'carol', 'dave'] as const
  const [alice, bob, carol, dave] = await Promise.all(names.map((name) => server.user(name)))
  await alice?.request(CreateRoom, { group: 'ops' })
  for (const member of [bob, carol]) await member?.request(JoinRoom, { group: 'ops' })
  const [bobs, carols, daves] = await Promise.all([bob, carol, dave].map((user) => follows(user as TestUser)))
  const source = pieces()
  const sent = alice?.client.stream({ group: 'ops' }, source)
  source.give('one')
  await shown(server)
  await carol?.request(LeaveRoom, { group: 'ops' })
  source.give(' two')
  await shown(server)
  source.end()
  const { id } = (await sent) ?? {}
  await server.settled()
  t.deepEqual([bobs, carols, daves], [['', 'one', 'one two', id], ['', 'one', 0], []])
  t.is(await dave?.refused(dave.request(OpenStream, { group: 'ops' })), 'not_member')
  t.is(await dave?.refused(dave.request(OpenStream, { group: 'none' })), 'group_not_exist')
})

test('who may not write to Bob opens no stream to him, and a block ends an open one', async (t) => {
  await using server = await testServer({ pluginOptions: { friends: { messagesFrom: 'friends' } } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.is(await alice.refused(alice.request(OpenStream, { to: 'bob' })), 'not_friends')
  t.is(await alice.refused(alice.request(OpenStream, { to: 'nobody' })), 'user_not_exist')
  t.is(await alice.refused(alice.request(OpenStream, { to: 'bob', group: 'ops' })), 'invalid_value')
  await alice.befriends(bob)
  const seen = await follows(bob)
  const { stream } = await alice.request(OpenStream, { to: 'bob' })
  await alice.request(StreamDelta, { stream, at: 0, text: 'you are' })
  await shown(server)
  await bob.request(BlockUser, { user: 'alice' })
  await alice.request(StreamDelta, { stream, at: 7, text: ' a fool' })
  await shown(server)
  t.deepEqual(seen, ['', 'you are', 0])
  t.is(await alice.refused(alice.request(CloseStream, { stream })), 'no_stream')
  t.is((await bob.client.inbox({ all: true })).messages.length, 0)
})

test('the finished message passes the rules of a message; refused, it is gone for its readers', async (t) => {
  const moderation = definePlugin({
    name: 'moderation',
    setup(app) {
      app.before(SendMessage, (_, { text }) => {
        if (text.includes('forbidden')) throw new Refused('moderation.word', 'not that word')
      })
    },
  })
  await using server = await testServer({ plugins: [moderation] })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen = await follows(bob)
  t.is(await alice.refused(alice.client.stream('bob', ['some ', 'forbidden word'])), 'moderation.word')
  await server.settled()
  t.is(seen.at(-1), 0)
  t.deepEqual((await bob.client.inbox({ all: true })).messages, [])
  t.truthy(await alice.client.stream('bob', ['some other word']), 'the next stream is free')
})

test('a source without text sends nothing; one that fails or is stopped leaves nothing behind', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.is(await alice.client.stream('bob', ['', '']), undefined)
  const seen = await follows(bob)
  const failing = pieces()
  const failed = alice.client.stream('bob', failing)
  failing.give('half')
  await server.settled()
  failing.fail(new Error('the model is gone'))
  await t.throwsAsync(failed, { message: 'the model is gone' })
  const stop = new AbortController()
  const endless = pieces()
  const stopped = alice.client.stream('bob', endless, { signal: stop.signal })
  endless.give('more')
  await server.settled()
  stop.abort()
  await t.throwsAsync(stopped, { code: 'aborted' })
  await shown(server)
  t.true(endless.wasReturned)
  t.deepEqual(
    seen.filter((item) => typeof item === 'number'),
    [0, 0],
  )
  await bob.hearsNothing()
  t.is(server.status().streams, 0)
})

test('the sender’s connection is lost: the stream goes on where it was', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen = await follows(bob)
  const source = pieces()
  const sent = alice.client.stream('bob', source)
  source.give('before 🙂')
  await shown(server)
  const reconnected = new Promise<void>((resolve) => alice.client.onLife('reconnected', resolve))
  server.loseConnections('alice')
  await reconnected
  source.give(' after')
  await shown(server)
  source.end()
  const { id } = (await sent) ?? {}
  await bob.hears('before 🙂 after')
  t.deepEqual(seen, ['', 'before 🙂', 'before 🙂 after', id])
})

test('a sender that does not come back within 15 s leaves what was said', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen = await follows(bob)
  const silent = await server.user('carol')
  await silent.request(OpenStream, { to: 'bob' })
  const { stream } = await alice.request(OpenStream, { to: 'bob', clientId: 'answer 1' })
  await alice.request(StreamDelta, { stream, at: 0, text: 'the answer is' })
  await shown(server)
  await Promise.all([alice.client.close(), silent.client.close()])
  await server.clock.advance(GRACE_MS - 1)
  await bob.hearsNothing()
  await server.clock.advance(1)
  const { id } = await bob.hears('the answer is… (interrupted)', { from: 'alice' })
  await bob.hearsNothing()
  t.deepEqual(seen.slice(0, 3), ['', '', 'the answer is'])
  t.true(seen.length === 5 && seen.includes(id) && seen.includes(0), 'the one without text left no message')
  // A new process may still give the whole answer.
  const again = await server.user('alice')
  const answer = await again.client.stream('bob', ['the answer is 42'], { clientId: 'answer 1' })
  t.is(answer?.repeat, false)
  await bob.hears('the answer is 42')
  const repeat = await again.client.stream('bob', ['the answer is 42'], { clientId: 'answer 1' })
  t.like(repeat, { id: answer?.id, repeat: true })
})

test('within 15 s a new session resumes with the client id, and may replace the text', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const first = await alice.request(OpenStream, { to: 'bob', clientId: 'one' })
  await alice.request(StreamDelta, { stream: first.stream, at: 0, text: 'half' })
  await alice.client.close()
  await server.clock.advance(GRACE_MS - 1)
  const again = await server.user('alice')
  const { stream, at } = await again.request(OpenStream, { to: 'bob', clientId: 'one' })
  t.deepEqual([stream, at], [first.stream, 4])
  await server.clock.advance(GRACE_MS)
  await again.request(StreamDelta, { stream, at: 2, text: 'nd' })
  await again.request(CloseStream, { stream })
  await bob.hears('hand')
  await bob.hearsNothing()
})

test('after ten minutes a stream ends with what was said', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const { stream } = await alice.request(OpenStream, { to: 'bob' })
  await alice.request(StreamDelta, { stream, at: 0, text: 'x'.repeat(16 * 1024) })
  t.is(await alice.refused(alice.request(StreamDelta, { stream, at: 16 * 1024, text: 'x' })), 'too_large')
  await server.clock.advance(LIFE_MS)
  const { text } = await bob.hears(/interrupted/)
  t.is(Buffer.byteLength(text), 16 * 1024, 'shortened to the longest text')
  t.is(await alice.refused(alice.request(CloseStream, { stream })), 'no_stream')
})

test('one stream per conversation, twenty of one user; offsets must fit', async (t) => {
  await using server = await testServer({ limits: { streams: 2 } })
  const [alice] = [
    await server.user('alice'),
    ...(await Promise.all(['bob', 'carol', 'dave'].map((n) => server.user(n)))),
  ]
  const { stream } = await alice.request(OpenStream, { to: 'bob' })
  t.is(await alice.refused(alice.request(OpenStream, { to: 'bob' })), 'too_many')
  await alice.request(OpenStream, { to: 'carol' })
  t.is(await alice.refused(alice.request(OpenStream, { to: 'dave' })), 'too_many')
  await alice.request(StreamDelta, { stream, at: 0, text: 'ü' })
  for (const at of [1, 3])
    t.is(await alice.refused(alice.request(StreamDelta, { stream, at, text: 'x' })), 'invalid_value')
  const phone = await server.user('alice')
  t.is(await phone.refused(phone.request(StreamDelta, { stream, at: 2, text: 'x' })), 'no_stream')
  const other = { to: 'bob', clientId: 'other' }
  t.is(
    await phone.refused(phone.request(OpenStream, other)),
    'too_many',
    'the limits are of the user, not of a session',
  )
})

test('of 50 readers one stands still: the others see all of it, and it costs nothing', async (t) => {
  await using server = await testServer({
    limits: { outboundSoft: 16 * 1024, outboundHard: 128 * 1024, unacknowledged: 1000 },
  })
  const alice = await server.user('alice')
  await alice.joins('ops')
  const readers = await Promise.all(Array.from({ length: 49 }, (_, n) => server.user(`reader${n}`)))
  for (const reader of readers) await reader.joins('ops')
  const last = readers.map(() => '')
  await Promise.all(
    readers.map((reader, n) => reader.client.followStreams(({ text }: GrowingMessage) => (last[n] = text))),
  )
  const keys = await server.account('sleeper')
  const line = server.stream()
  const sleeper = await server.connect({ server: line, reconnect: false })
  await sleeper.login('sleeper', { keys })
  await sleeper.request(JoinRoom, { group: 'ops' })
  await sleeper.request(FollowStreams, {})
  line.pause()
  const [session] = [...server.server.sessions].filter(({ user }) => user.name === 'sleeper')
  const { stream } = await alice.request(OpenStream, { group: 'ops' })
  const text = (round: number) => `${round} ${'x'.repeat(15_000)}`
  for (let round = 1; round <= 30; round++) {
    await alice.request(StreamDelta, { stream, at: 0, text: text(round) })
    await shown(server)
    t.true(
      last.every((seen) => seen === text(round)),
      `round ${round}`,
    )
  }
  t.true(session?.open)
  t.false(session?.writable, 'it stopped after a few pushes, and is not cut off')
  const { id } = await alice.request(CloseStream, { stream })
  line.resume()
  await server.settled()
  t.is((await sleeper.inbox()).messages[0]?.id, id, 'it has the message')
})

test('a server without streams gets one message at the end', async (t) => {
  await using server = await testServer({ without: ['streams'] })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  t.truthy(await alice.client.stream('bob', ['one ', 'two']))
  await bob.hears('one two')
  t.is(await bob.refused(bob.client.followStreams(() => {})), 'unknown_type')
})

test('a stopped follower sees nothing more', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen: GrowingMessage[] = []
  const stop = await bob.client.followStreams((message) => seen.push(message))
  await alice.client.stream('bob', ['one'], { hops: 1 })
  await server.settled()
  t.like(seen[0], { from: 'alice', to: 'bob', hops: 1, isOver: false })
  const before = seen.length
  stop()
  await server.settled()
  await alice.client.stream('bob', ['two'])
  await server.settled()
  t.is(seen.length, before)
})

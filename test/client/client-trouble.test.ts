import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { RefusedByServer, retryDelay } from '../../client/errors.ts'
import { Catalogue, type Client, ConversationRead, connect } from '../../client/index.ts'
import { Link } from '../../client/link.ts'
import { definePlugin, KeepAlive, Ping, Refused } from '../../core/index.ts'
import { openDatabase, renewEpoch } from '../../db/index.ts'
import { KickFromRoom, QueryRooms, RenameRoom } from '../../plugins/index.ts'
import { OnNewMessage, QueryInbox } from '../../plugins/messages/messages.ts'
import { testServer } from '../../testing/index.ts'
import { until } from '../support/bots/bots.ts'
import { nextPush, refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { openProxy } from '../support/wire/proxy.ts'

/** Each time limit of a client, in ms: long enough for a login with known keys on a loaded machine. */
const LIMIT = 1000

/** The messages that a loop receives, until it is stopped. */
function hearing(client: Client) {
  const heard: string[] = []
  const stop = new AbortController()
  const done = (async () => {
    for await (const { text } of client.messages({ signal: stop.signal })) heard.push(text)
  })()
  return {
    heard,
    done,
    stop() {
      stop.abort()
      return done
    },
  }
}

test('Bob leaves and restarts his loop many times while Alice writes: he receives every message once, in order', async (t) => {
  const server = await startLocalServer(t, { limits: { requestBurst: 1e6 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const all = Array.from({ length: 400 }, (_, n) => String(n))
  const talking = (async () => {
    for (const text of all) await alice.send('bob', text)
  })()
  const heard: string[] = []
  while (heard.length < all.length) {
    let inThisLoop = 0
    for await (const { text } of bob.messages()) {
      // The last message of a loop is unacknowledged and delivered again.
      if (text !== heard.at(-1)) heard.push(text)
      if (++inThisLoop === 7 || heard.length === all.length) break
    }
  }
  await talking
  t.deepEqual(heard, all)
})

test('a send that times out while the server is down fails, and is delivered later', async (t) => {
  const server = await startLocalServer(t)
  await (await server.user('bob')).close()
  // Registers and derives keys, which a time limit this short would not allow under load.
  await (await server.user('alice')).close()
  const alice = await server.user('alice', { reconnect: true, timeout: LIMIT })
  const away = new Promise<void>((resolve) => alice.onLife('disconnected', () => resolve()))
  await server.close()
  await away
  await t.throwsAsync(alice.send('bob', 'one', { clientId: 'one' }), { code: 'timed_out' })
  const stop = new AbortController()
  const sending = alice.send('bob', 'one', { clientId: 'one', timeout: 60_000, signal: stop.signal })
  stop.abort()
  await t.throwsAsync(sending, { code: 'aborted' })
  const again = alice.send('bob', 'one', { clientId: 'one', timeout: 60_000 })
  await startLocalServer(t, { data: server.data, port: server.port })
  t.false((await again).repeat)
})

test('close() ends a client at once, also while it is disconnected', async (t) => {
  const server = await startLocalServer(t)
  const owner = new AbortController()
  const alice = await server.user('alice', { reconnect: true, signal: owner.signal })
  const [away, over] = (['disconnected', 'closed'] as const).map(
    (event) => new Promise<unknown>((resolve) => alice.onLife(event, resolve)),
  )
  await server.close()
  await away
  const acknowledging = alice.acknowledge({ from: 'bob', id: 1 })
  owner.abort()
  t.like(await over, { code: 'aborted' })
  await t.throwsAsync(acknowledging, { code: 'aborted' })
})

test('a login fails with "closed" when the client is closed during the key derivation', async (t) => {
  const server = await startLocalServer(t, { pluginOptions: { registration: { iterations: 600_000 } } })
  const made = await server.connect()
  await made.register('alice', 'correct horse')
  const alice = await server.connect()
  const deriving = t.throwsAsync(alice.login('alice', { password: 'correct horse' }), { code: 'closed' })
  await alice.request(Ping, {})
  await alice.close()
  await deriving
})

test('a dead connection is detected by pings and reopened', async (t) => {
  const server = await startLocalServer(t)
  const proxy = await openProxy(t, server)
  const alice = await server.user('alice')
  await (await server.user('bob')).close()
  const bob = await server.user('bob', { server: proxy.address, reconnect: true, timeout: LIMIT })
  const ear = hearing(bob)
  await alice.send('bob', 'one')
  await until(() => ear.heard.length === 1)
  const reasons: string[] = []
  bob.onLife('disconnected', ({ message }) => reasons.push(message))
  proxy.freeze()
  await alice.send('bob', 'two')
  await until(() => ear.heard.length === 2)
  t.deepEqual(ear.heard, ['one', 'two'])
  t.deepEqual(reasons, ['connection lost: the server does not answer'])
  await ear.stop()
})

test('a loop survives an outage longer than every time limit, and lost acknowledgements', async (t) => {
  const server = await startLocalServer(t)
  const proxy = await openProxy(t, server)
  const alice = await server.user('alice')
  await (await server.user('bob')).close()
  const bob = await server.user('bob', { server: proxy.address, reconnect: true, timeout: LIMIT })
  const ear = hearing(bob)
  await alice.send('bob', 'one')
  await until(() => ear.heard.length === 1)
  // The acknowledgement of this message gets no reply, several times.
  await alice.send('bob', 'two')
  const away = new Promise<void>((resolve) => bob.onLife('disconnected', () => resolve()))
  proxy.loseAnswers(true)
  await t.throwsAsync(bob.inbox(), { code: 'timed_out' })
  await away
  proxy.loseAnswers(false)
  await alice.send('bob', 'three')
  await until(() => ear.heard.includes('three'))
  t.deepEqual(ear.heard, ['one', 'two', 'three'])
  await until(async () => (await bob.inbox().catch(() => undefined))?.messages.length === 0)
  await ear.stop()
})

test('after a restore the client resets its position: new messages are received, and none is marked read unseen', async (t) => {
  const data = await tempFolder(t)
  const file = join(data, 'chat.db')
  const first = await startLocalServer(t, { data, db: file })
  await (await first.user('bob')).close()
  const before = await first.user('alice')
  await before.send('bob', 'one')
  await first.close()
  await copyFile(file, join(data, 'backup.db'))
  const second = await startLocalServer(t, { data, db: file, port: first.port })
  const bob = await second.user('bob', { reconnect: true })
  let restored = 0
  bob.onLife('restored', () => restored++)
  const heard: string[] = []
  let goOn = () => {}
  const loop = (async () => {
    for await (const { text } of bob.messages()) {
      heard.push(text)
      // Still handles this message when the server is replaced.
      if (text === 'old 3')
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      if (text === 'new 2') return
    }
  })()
  const alice = await second.user('alice')
  for (const text of ['old 2', 'old 3']) await alice.send('bob', text)
  await until(() => heard.length === 3)
  await second.close()
  await copyFile(join(data, 'backup.db'), file)
  const db = await openDatabase(file)
  await renewEpoch(db)
  await db.destroy()
  const third = await startLocalServer(t, { data, db: file, port: first.port })
  const again = await third.user('alice')
  const other = await third.user('bob')
  for (const text of ['new 1', 'new 2']) await again.send('bob', text)
  await until(() => restored === 1)
  // Its id is now that of `new 2`.
  goOn()
  await loop
  // At the time of the backup the first message was unread.
  t.deepEqual(heard, ['one', 'old 2', 'old 3', 'one', 'new 1', 'new 2'])
  t.deepEqual(
    (await other.inbox()).messages.map(({ text }) => text),
    ['new 2'],
  )
})

test('Bob’s loop over all messages goes on when he is kicked from a group or it is renamed', async (t) => {
  await using server = await testServer()
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  for (const group of ['ops', 'dev']) for (const user of [alice, bob, carol]) await user.joins(group)
  const skipped: string[] = []
  bob.client.onLife('unacknowledged', ({ group }, { failure }) => skipped.push(`${group}: ${failure}`))
  const heard: string[] = []
  const loop = (async () => {
    for await (const message of bob.client.messages()) {
      heard.push(message.text)
      if (message.text === 'out with you') await alice.request(KickFromRoom, { group: 'ops', user: 'bob' })
      if (message.text === 'another name') {
        await alice.request(RenameRoom, { group: 'dev', name: 'research' })
        // Another group takes the old name.
        await carol.joins('dev')
        await bob.client.reply(message, 'heard')
      }
      if (message.text === 'bye') return
    }
  })()
  await alice.says({ group: 'ops' }, 'out with you')
  const read = nextPush((await server.user('bob')).client, ConversationRead)
  await alice.says({ group: 'dev' }, 'another name')
  t.is((await alice.hears('heard')).group, 'research')
  t.like(await read, { group: 'research' })
  await alice.says('bob', 'bye')
  await loop
  t.deepEqual(heard, ['out with you', 'another name', 'bye'])
  t.deepEqual(skipped, ['ops: not_member'])
  t.like(await bob.request(QueryRooms, {}), { groups: [{ group: 'research', unread: 0 }] })
})

test('Bob acknowledges a message of a renamed group although the database fails while its new name is looked up', async (t) => {
  let failures = 0
  const failing = definePlugin({
    name: 'failing',
    setup(app) {
      app.before(QueryInbox, () => {
        if (failures++ === 0) throw new Refused('unavailable')
      })
    },
  })
  await using server = await testServer({ plugins: [failing] })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  for (const user of [alice, bob]) await user.joins('dev')
  await alice.says({ group: 'dev' }, 'another name')
  const message = await bob.hears('another name')
  await alice.request(RenameRoom, { group: 'dev', name: 'research' })
  await bob.client.acknowledge(message)
  t.is(failures, 2)
  t.like(await bob.request(QueryRooms, {}), { groups: [{ group: 'research', unread: 0 }] })
})

test('a missing argument of a call is named in the error', async (t) => {
  await using server = await testServer()
  const { client } = await server.user('alice')
  await t.throwsAsync(connect({} as never), { instanceOf: TypeError, message: /`server` is missing/ })
  await t.throwsAsync(client.send(undefined as never, 'hi'), { instanceOf: TypeError, message: /name of a user/ })
  await t.throwsAsync(client.send('alice', undefined as never), { instanceOf: TypeError, message: /text is a string/ })
})

test('a loop that fails to start does not prevent another loop', async (t) => {
  await using server = await testServer()
  const { client } = await server.user('alice')
  t.is(await refusal(t, client.messages({ from: 'nobody' }).next()), 'user_not_exist')
  await client.send('alice', 'hi')
  t.like((await client.messages().next()).value, { text: 'hi' })
})

test('the pause before a retry is at most an hour, whatever the retryAfter of the server', (t) => {
  const refusal = new RefusedByServer({ code: 1, name: 'rate_limited', text: '', retryAfter: 2 ** 32 - 1 } as never)
  t.is(retryDelay(refusal, 1), 3_600_000)
})

test('a client answers a flood of pings one at a time', async (t) => {
  await using server = await testServer()
  await server.user('alice')
  let pings = 0
  server.app.on(Ping, () => pings++)
  for (let n = 0; n < 1000; n++) server.app.users.sendToAll(KeepAlive, {})
  await server.settled()
  t.true(pings > 0 && pings < 100, String(pings))
})

const STYLE = { font: '', fontSize: 0, color: '' }
const MESSAGE = { kind: 1, from: 'alice', to: 'alice', sentAt: 1, unread: true, group: '', hops: 0, ...STYLE }

test('a client closes with the reason when the server pushes far beyond the window', async (t) => {
  await using server = await testServer({ limits: { outboundHard: Number.MAX_SAFE_INTEGER } })
  const alice = await server.user('alice')
  await alice.client.send('alice', 'first')
  let heard = 0
  let go = () => {}
  const waiting = new Promise<void>((resolve) => {
    go = resolve
  })
  const loop = (async () => {
    for await (const _message of alice.client.messages()) if (++heard === 1) await waiting
  })()
  await server.settled()
  const closed = new Promise<unknown>((resolve) => alice.client.onLife('closed', resolve))
  const text = 'x'.repeat(100_000)
  for (let id = 1000; id < 1400; id++)
    server.app.users.sendToAll(OnNewMessage, { messages: [{ ...MESSAGE, id, text }] })
  t.like(await closed, { code: 'protocol', message: 'the server exceeds its window of unacknowledged messages' })
  go()
  await t.throwsAsync(loop, { code: 'protocol' })
})

test.serial('many requests that wait for their next attempt are not taken for a leak', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const addresses = [{ path: '/nowhere' }]
  const link = new Link(
    { addresses, catalogue: new Catalogue([]) },
    () => {},
    async () => {},
  )
  const refused = new RefusedByServer({ name: 'unavailable', text: 'later', retryAfter: 1000 })
  const waiting = Array.from({ length: 20 }, () => link.retryUntilAnswered(() => Promise.reject(refused)))
  await nextTurn()
  await link.close(() => Promise.resolve())
  t.true((await Promise.allSettled(waiting)).every(({ status }) => status === 'rejected'))
  t.deepEqual(warnings, [])
})

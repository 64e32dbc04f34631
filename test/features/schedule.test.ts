import { setImmediate as nextTurn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { parseDelay, parseMoment } from '../../cli/input/moment.ts'
import {
  CancelScheduled,
  type Client,
  CreateRoom,
  DissolveRoom,
  JoinRoom,
  KickFromRoom,
  OnNewMessage,
  QueryScheduled,
  RenameRoom,
  ScheduleMessage,
} from '../../client/index.ts'
import { definePlugin, type InputOf, Refused } from '../../core/index.ts'
import { forgetScheduled, migrate, openDatabase } from '../../db/index.ts'
import { SetUserActive } from '../../plugins/admin/messages.ts'
import { type KnownLimitSettings, RATES_OFF, SendMessage } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { TestClock } from '../../testing/test-clock.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'
import { refusal } from '../support/requests.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const HOUR = 3_600_000
const YEAR = 366 * 24 * HOUR

/** Limits under which clients stay connected while hours pass in a moment. */
const TIMELESS = { ...RATES_OFF, ping: 1e12, dead: 1e12 }

const later = (client: Client, to: string, text: string, more: Partial<InputOf<typeof ScheduleMessage>> = {}) =>
  client.request(ScheduleMessage, { to, text, ...(more.at === undefined && { delay: HOUR }), ...more })

const listed = async (client: Client) =>
  (await client.request(QueryScheduled, { all: true })).messages.map(({ state, reason }) => [state, reason])

/**
 * The texts pushed to a client. Returns a function that waits for so many of them; meanwhile the clock moves on by 1 ms
 * a turn of the event loop, for a sender that has set its timer after the test moved the clock.
 */
async function hearing(client: Client, clock: TestClock) {
  const heard: string[] = []
  client.on(OnNewMessage, ({ messages }) => heard.push(...messages.map(({ text }) => text)))
  await client.receive()
  return async (count: number) => {
    await until(clock, () => heard.length >= count)
    return heard
  }
}

async function until(clock: TestClock, holds: () => boolean | Promise<boolean>) {
  while (!(await holds())) {
    await nextTurn()
    clock.jump(1)
  }
}

/** Resolves when no message that is due is waiting any more. */
const settled = (client: Client, clock: TestClock) =>
  until(clock, async () => (await client.request(QueryScheduled, {})).messages.every(({ at }) => at > clock.time()))

async function serverOf(t: ExecutionContext, options: Parameters<typeof startLocalServer>[1] = {}) {
  const clock = new TestClock()
  const limits = { ...TIMELESS, ...(options.limits as KnownLimitSettings) }
  const server = await startLocalServer(t, { clock, ...options, limits })
  return { server, clock }
}

async function operator(server: LocalServer) {
  return server.operator()
}

test('a message is sent when it is due, also to a group, while its sender is offline', async (t) => {
  const { server, clock } = await serverOf(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  await bob.request(JoinRoom, { group: 'ops' })
  const heard = await hearing(bob, clock)
  const { id, at, repeat } = await later(alice, 'bob', 'third', { delay: 3 * HOUR, font: 'Mono', fontSize: 9 })
  t.is(repeat, false)
  t.true(Math.abs(at - clock.time() - 3 * HOUR) < 60_000)
  await later(alice, '', 'second', { group: 'ops', delay: 2 * HOUR })
  await later(alice, 'bob', 'first')
  await alice.request(RenameRoom, { group: 'ops', name: 'on call' })
  const waiting = (await alice.request(QueryScheduled, {})).messages
  t.deepEqual(
    waiting.map(({ to, group, text, state }) => [to || group, text, state]),
    [
      ['bob', 'third', 'waiting'],
      ['on call', 'second', 'waiting'],
      ['bob', 'first', 'waiting'],
    ],
  )
  await alice.close()
  clock.jump(HOUR)
  t.deepEqual(await heard(1), ['first'])
  clock.jump(2 * HOUR)
  t.deepEqual(await heard(3), ['first', 'second', 'third'])
  const [, , third] = (await bob.inbox()).messages
  t.like(third, { from: 'alice', style: { font: 'Mono', fontSize: 9 } })
  const again = await server.user('alice')
  await settled(again, clock)
  const [done] = (await again.request(QueryScheduled, { all: true })).messages
  t.like(done, { id, state: 'sent', messageId: third?.id, text: '' })
})

test('a message may be due beyond the longest delay of a timer, and more than a year ahead is refused', async (t) => {
  const { server, clock } = await serverOf(t)
  const alice = await server.user('alice')
  const heard = await hearing(alice, clock)
  await later(alice, 'alice', 'in a year', { at: clock.time() + YEAR - HOUR })
  // Timers beyond 2^31 ms fire at once: the first message would already be sent.
  await later(alice, 'alice', 'soon', { delay: 1 })
  t.deepEqual(await heard(1), ['soon'])
  clock.jump(YEAR)
  t.deepEqual(await heard(2), ['soon', 'in a year'])
  t.is(await refusal(t, later(alice, 'alice', 'x', { at: clock.time() + YEAR + HOUR })), 'invalid_value')
})

test('messages due while the server was down are sent once at its start, oldest first', async (t) => {
  const data = await tempFolder(t)
  const { server, clock } = await serverOf(t, { data })
  const [alice] = [await server.user('alice'), await server.user('bob')]
  const sent = await later(alice, 'bob', 'two', { delay: 2 * HOUR })
  await later(alice, 'bob', 'one')
  await later(alice, 'bob', 'tomorrow', { delay: 24 * HOUR })
  await server.close()

  // The state after a kill between storing the message and recording it as sent.
  const db = await openDatabase(server.db ?? `${data}/chat.db`)
  await db('scheduled').where({ msg: 'one' }).update({ state: 'sending' })
  await db.destroy()
  clock.jump(3 * HOUR)
  const second = await startLocalServer(t, { data, clock, limits: TIMELESS })
  const bob = await second.user('bob')
  const heard = await hearing(bob, clock)
  t.deepEqual(await heard(2), ['one', 'two'])
  const again = await second.user('alice')
  await until(clock, async () => (await again.request(QueryScheduled, {})).messages.length <= 1)
  await second.close()

  const other = await openDatabase(server.db ?? `${data}/chat.db`)
  await other('scheduled').where({ id: sent.id }).update({ state: 'sending', msg: 'two' })
  await other.destroy()
  const third = await startLocalServer(t, { data, clock, limits: TIMELESS })
  const alice3 = await third.user('alice')
  await until(clock, async () => (await alice3.request(QueryScheduled, {})).messages.length <= 1)
  t.deepEqual(
    (await (await third.user('bob')).inbox()).messages.map(({ text }) => text),
    ['one', 'two'],
  )
})

test('a message no longer permitted when due fails with the reason', async (t) => {
  const { server, clock } = await serverOf(t, { pluginOptions: { friends: { messagesFrom: 'friends' } } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await bob.request(CreateRoom, { group: 'ops' })
  await alice.request(JoinRoom, { group: 'ops' })
  await later(alice, 'bob', 'no friend')
  await later(alice, '', 'no member', { group: 'ops' })
  await later(alice, 'alice', 'note')
  await bob.request(KickFromRoom, { group: 'ops', user: 'alice' })
  clock.jump(HOUR)
  await settled(alice, clock)
  t.deepEqual(await listed(alice), [
    ['failed', 'not_friends: only friends may write to this user'],
    ['failed', 'not_member: not a member of this group'],
    ['sent', ''],
  ])
  t.deepEqual((await bob.inbox({ all: true })).messages, [])
})

test('no message of a disabled account is sent', async (t) => {
  const { server, clock } = await serverOf(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await later(alice, 'bob', 'hi')
  await later(alice, 'bob', 'much later', { delay: 5 * HOUR })
  const root = await operator(server)
  await root.request(SetUserActive, { user: 'alice', active: false })
  const heard = await hearing(bob, clock)
  await later(bob, 'bob', 'as late', { delay: HOUR })
  clock.jump(HOUR + 1000)
  t.deepEqual(await heard(1), ['as late'])
  await root.request(SetUserActive, { user: 'alice', active: true })
  t.deepEqual(await listed(await server.user('alice')), [
    ['failed', 'account_disabled: the account is disabled'],
    ['waiting', ''],
  ])
})

test('a transient failure is retried', async (t) => {
  let tries = 0
  const busy = definePlugin({
    name: 'busy',
    setup(app) {
      app.before(SendMessage, (_session, { text }) => {
        if (text === 'hard' && ++tries < 3) throw new Refused('rate_limited', 'not now', { retryAfter: HOUR })
      })
    },
  })
  const { server, clock } = await serverOf(t, { plugins: [busy] })
  const alice = await server.user('alice')
  const heard = await hearing(alice, clock)
  await later(alice, 'alice', 'hard')
  await later(alice, 'alice', 'easy', { delay: HOUR + 1000 })
  clock.jump(HOUR + 2000)
  t.deepEqual(await heard(1), ['easy'], 'it does not block others')
  t.deepEqual((await listed(alice))[0], ['waiting', 'rate_limited: not now'])
  clock.jump(HOUR)
  await until(clock, () => tries >= 2)
  clock.jump(HOUR + 1000)
  t.deepEqual(await heard(2), ['easy', 'hard'])
})

test('due messages wait during an outage of the database and are sent after it', async (t) => {
  const { server, clock } = await serverOf(t)
  if (server.db !== undefined) return t.pass('the trigger is one of SQLite')
  const alice = await server.user('alice')
  const heard = await hearing(alice, clock)
  await later(alice, 'alice', 'hi')
  const db = await openDatabase(`${server.data}/chat.db`)
  t.teardown(() => db.destroy())
  await db.raw("create trigger full before insert on chatmsg begin select raise(abort, 'no'); end")
  clock.jump(HOUR)
  await until(clock, async () => (await listed(alice))[0]?.[1] !== '')
  t.regex((await listed(alice))[0]?.[1] ?? '', /^unavailable/)
  await db.raw('drop trigger full')
  clock.jump(HOUR)
  t.deepEqual(await heard(1), ['hi'])
})

test('scheduling again under a client id returns the first message; different contents are refused', async (t) => {
  const { server, clock } = await serverOf(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const first = await later(alice, 'bob', 'hi', { clientId: 'k' })
  clock.jump(1000)
  t.deepEqual(await later(alice, 'bob', 'hi', { clientId: 'k' }), { ...first, repeat: true })
  t.is(await refusal(t, later(alice, 'bob', 'other', { clientId: 'k' })), 'client_id_reused')
  t.is(await refusal(t, later(alice, 'alice', 'hi', { clientId: 'k' })), 'client_id_reused')
  t.false((await later(bob, 'bob', 'hi', { clientId: 'k' })).repeat, 'of another user')
  clock.jump(HOUR)
  await settled(alice, clock)
  t.deepEqual(await later(alice, 'bob', 'hi', { clientId: 'k', at: 1 }), { ...first, repeat: true })
  t.is(await refusal(t, later(alice, 'bob', 'other', { clientId: 'k' })), 'client_id_reused', 'also after it was sent')
  const { id } = await later(alice, 'bob', 'hi', { clientId: 'cancelled' })
  await alice.request(CancelScheduled, { id })
  t.is(await refusal(t, later(alice, 'bob', 'other', { clientId: 'cancelled' })), 'client_id_reused')
  t.is((await bob.inbox()).messages.filter(({ from }) => from === 'alice').length, 1)
})

test('a message is sent within seconds of its time, also when the time of day is changed', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await later(alice.client, 'bob', 'at last', { delay: 10 * HOUR })
  await server.clock.advance(1000)
  server.clock.setTime(server.clock.time() + 10 * HOUR)
  await server.clock.advance(5000)
  t.is((await bob.hears('at last')).from, 'alice')
})

test('a message to a dissolved group is not sent to a new group of its name', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.joins('ops')
  await later(alice.client, '', 'for the old one', { group: 'ops' })
  await alice.request(DissolveRoom, { group: 'ops' })
  await bob.joins('ops')
  await alice.joins('ops')
  await server.clock.advance(HOUR)
  await bob.hearsNothing()
  t.deepEqual(await listed(alice.client), [['failed', 'group_not_exist: this group does not exist']])
})

test('a cancelled message is not sent; messages of others and sent ones cannot be cancelled', async (t) => {
  const { server, clock } = await serverOf(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const heard = await hearing(bob, clock)
  const { id } = await later(alice, 'bob', 'never')
  const { id: other } = await later(alice, 'bob', 'sent')
  t.is(await refusal(t, bob.request(CancelScheduled, { id })), 'no_scheduled')
  await alice.request(CancelScheduled, { id })
  t.is(await refusal(t, alice.request(CancelScheduled, { id })), 'no_scheduled')
  clock.jump(HOUR)
  t.deepEqual(await heard(1), ['sent'])
  await settled(alice, clock)
  t.is(await refusal(t, alice.request(CancelScheduled, { id: other })), 'no_scheduled')
  t.deepEqual((await listed(alice)).flat(), ['cancelled', '', 'sent', ''])
})

test('a message is validated when it is scheduled', async (t) => {
  const { server, clock } = await serverOf(t, { limits: { scheduled: 2, text: 10 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await bob.request(CreateRoom, { group: 'ops' })
  const cases: [string, Partial<InputOf<typeof ScheduleMessage>>][] = [
    ['user_not_exist', { to: 'nobody' }],
    ['group_not_exist', { to: '', group: 'nowhere' }],
    ['not_member', { to: '', group: 'ops' }],
    ['invalid_value', { to: '' }],
    ['invalid_value', { group: 'ops' }],
    ['too_large', { text: 'longer than that' }],
    ['invalid_value', { at: clock.time() - HOUR }],
    ['invalid_value', { at: clock.time() + HOUR, delay: HOUR }],
    ['invalid_value', { at: 0 }],
    ['invalid_value', { delay: Number.MAX_SAFE_INTEGER }],
  ]
  for (const [expected, values] of cases)
    t.is(await refusal(t, later(alice, 'bob', 'hi', values)), expected, JSON.stringify(values))
  t.deepEqual(await listed(alice), [])
  await later(alice, 'bob', 'one')
  await later(alice, 'bob', 'two')
  t.is(await refusal(t, later(alice, 'bob', 'three')), 'too_many')
  await later(bob, 'bob', 'of Bob')
  clock.jump(HOUR)
  await settled(alice, clock)
  await later(alice, 'bob', 'three')
})

test('concurrent requests of several sessions schedule no more than the limit', async (t) => {
  const { server } = await serverOf(t, { limits: { scheduled: 5 } })
  const [alice, elsewhere] = [await server.user('alice'), await server.user('alice')]
  const texts = Array.from({ length: 10 }, (_, index) => String(index))
  const asked = [alice, elsewhere].flatMap((client) => texts.map((text) => later(client, 'alice', text)))
  const stored = (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled')
  t.is(stored.length, 5)
  t.is((await listed(alice)).length, 5)
})

test('a list of many long messages is paged', async (t) => {
  const { server } = await serverOf(t)
  const alice = await server.user('alice')
  const text = 'x'.repeat(16_000)
  for (let n = 0; n < 8; n++) await later(alice, 'alice', text)
  const ids: number[] = []
  let pages = 0
  for (let more = true; more; pages++) {
    const page = await alice.request(QueryScheduled, { after: ids.at(-1) ?? 0 })
    ids.push(...page.messages.map(({ id }) => id))
    more = page.more
  }
  t.is(new Set(ids).size, 8)
  t.true(pages > 2)
})

test('old settled messages are deleted in slices; open and later ones are kept', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const row = { user_id: 1, target_id: 2, is_group: 0, msg: '', font: '', font_size: 0, color: '', hops: 0 }
  const times = { made_at: 1, due_at: 1, next_at: 1 }
  const settled = Array.from({ length: 2500 }, (_, n) => ({ state: n % 2 ? 'sent' : 'failed', done_at: 1 + (n % 999) }))
  const others = [
    { state: 'cancelled', done_at: 1000 },
    { state: 'waiting', done_at: 0 },
    { state: 'sending', done_at: 0 },
  ]
  const rows = [...settled, ...others].map((own, n) => ({ ...row, ...times, ...own, client_id: String(n) }))
  await db.batchInsert('scheduled', rows, 100)
  const statements: string[] = []
  db.on('query', ({ sql }: { sql: string }) => statements.push(sql))
  await forgetScheduled(db, 1000, new AbortController().signal)
  t.is(statements.filter((sql) => sql.startsWith('delete')).length, 3)
  t.deepEqual(
    await db('scheduled').orderBy('id').pluck('state'),
    others.map(({ state }) => state),
  )
})

test('times of day, dates and delays are parsed', (t) => {
  const now = new Date(2026, 10, 24, 17, 30)
  const at = (text: string) => parseMoment(text, now).getTime()
  t.is(at('18:00'), new Date(2026, 10, 24, 18, 0).getTime())
  t.is(at('17:30'), new Date(2026, 10, 25, 17, 30).getTime(), 'the current time means tomorrow')
  t.is(at('09:05:30'), new Date(2026, 10, 25, 9, 5, 30).getTime())
  t.is(at('2026-12-24T18:00'), new Date(2026, 11, 24, 18, 0).getTime())
  t.is(at('2026-12-24T18:00Z'), Date.UTC(2026, 11, 24, 18, 0))
  t.is(at('2026-12-24T18:00:01+01:00'), Date.UTC(2026, 11, 24, 17, 0, 1))
  t.is(at('2028-02-29T00:00Z'), Date.UTC(2028, 1, 29))
  for (const wrong of ['', 'soon', '24:00', '18:60', '6:00', '2026-12-24', '2027-02-29T10:00', '2026-12-24T24:00'])
    t.throws(() => at(wrong), { message: /is not a time such as 18:00 or/ }, wrong)
  t.throws(() => at('2020-01-01T00:00Z'), { message: '--at: 2020-01-01T00:00Z is over' })
  t.deepEqual(['90s', '10m', '1.5h', '7d', '30'].map(parseDelay), [90_000, 600_000, 5_400_000, 604_800_000, 30_000])
  for (const wrong of ['', '0s', '-1m', 'soon', '1w']) t.throws(() => parseDelay(wrong), { message: /--delay/ }, wrong)
})

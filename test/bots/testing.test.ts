import test from 'ava'
import { createBot } from '../../bot/index.ts'
import { OnNewMessage } from '../../client/index.ts'
import {
  clientMessage,
  defineEvent,
  definePlugin,
  line,
  Refused,
  SessionEnded,
  SessionStarted,
  serverMessage,
  type UserSession,
} from '../../core/index.ts'
import { JoinRoom, KickUser, SendMessage } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'

const Waved = serverMessage({ type: 1701, name: 'waved', about: '', fields: { by: line('') } })
const Wave = clientMessage({ type: 1700, name: 'wave', about: '', allow: 'user', fields: { at: line('') } })
const WentBy = defineEvent<{ who: string }>('waving.went_by')

/** Pushes each wave to all users, refuses `nobody`, and throws for `wall`. */
const waving = definePlugin({
  name: 'waving',
  messages: { Wave, Waved },
  setup(app) {
    app.handle(Wave, ({ user }, { at }) => {
      if (at === 'nobody') throw new Refused('waving.nobody')
      app.users.sendToAll(Waved, { by: user.name })
    })
    app.on(Wave, ({ user }, { at }) => {
      if (at === 'the wall') throw new Error('nobody waves back')
      app.emit(WentBy, { who: user.name })
    })
  },
})

test('users send private and group messages, and hears() returns them', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await ann.says('bob', 'first')
  await ann.says('bob', 'second')
  t.like(await bob.hears('second'), { from: 'ann', to: 'bob', unread: true })
  t.is((await bob.hears(/^f/g, { from: 'ann' })).text, 'first')
  await ann.joins('ops')
  await bob.joins('ops')
  await bob.says({ group: 'ops' }, 'third')
  t.is((await ann.hears(({ group }) => group === 'ops')).text, 'third')
  await ann.hearsNothing()
  await bob.hearsNothing()
})

test('hears() marks the message read; other messages stay unread', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  for (const text of ['one', 'two', 'three']) await ann.says('bob', text)
  await bob.hears('two')
  const { messages } = await bob.client.inbox()
  t.deepEqual(
    messages.map(({ text }) => text),
    ['three'],
  )
})

test('hears() fails after its time limit with the messages that arrived instead and the time of the clock', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await ann.says('bob', 'good morning')
  await bob.hears('good morning')
  await ann.says('bob', 'good night')
  await t.throwsAsync(bob.hears('hello', { from: 'ann', within: 5 }), {
    message:
      'bob did not hear "hello" from ann within 5 ms.\n' +
      'Not yet heard:\n  ann: "good night"\n' +
      'Heard before:\n  ann: "good morning"\n' +
      'The clock stands at 2030-01-01T00:00:00.000Z; `clock.advance(ms)` moves it on.',
  })
  await t.throwsAsync(bob.hearsNothing(), { message: /^bob heard something\.\nNot yet heard:\n {2}ann: "good night"/ })
  await t.throwsAsync(bob.asks('ann', 'who is there?', { within: 5 }), {
    message: /^bob did not hear an answer to "who is there\?" within 5 ms\.\nNot yet heard:\n {2}ann: "good night"/,
  })
  await ann.hears('who is there?')
  await t.throwsAsync(ann.hears(/./, { group: 'ops', within: 5 }), {
    message: /^ann did not hear \/\.\/ in ops within 5 ms\.\nNothing else came\./,
  })
})

test('a long failure report is truncated, and names the limit of unacknowledged messages', async (t) => {
  await using server = await testServer({ limits: { unacknowledged: 25 } })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  for (let n = 1; n <= 30; n++) await ann.says('bob', `message ${n}`)
  await t.throwsAsync(bob.hears('message 30', { within: 5 }), {
    message:
      /Not yet heard:\n {2}… 5 older ones\n {2}ann: "message 6"\n(?:.+\n)+ {2}ann: "message 25"\nMore than 25 unheard messages/,
  })
  await bob.hears('message 25')
  await bob.hears('message 30')
})

test('a recalled message is not heard', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const { id } = await ann.says('bob', 'oops')
  await server.settled()
  await ann.client.recall(id)
  await t.notThrowsAsync(bob.hearsNothing())
})

test('befriends() makes friends of two users where only friends may write', async (t) => {
  await using server = await testServer({ pluginOptions: { friends: { messagesFrom: 'friends' } } })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  t.is(await ann.refused(ann.says('bob', 'hi')), 'not_friends')
  await ann.befriends(bob)
  await ann.says('bob', 'hi')
  await bob.hears('hi')
})

test('hears() waits for messages in flight', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const hearing = [bob.hears('one'), bob.hears('two')]
  await ann.says('bob', 'two')
  await ann.says('bob', 'one')
  t.deepEqual(
    (await Promise.all(hearing)).map(({ text }) => text),
    ['one', 'two'],
  )
})

test('a predicate that throws fails its own call of hears() only', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const hearing = bob.hears(() => {
    throw new Error('a bug of the test')
  })
  await ann.says('bob', 'hi')
  await t.throwsAsync(hearing, { message: 'a bug of the test' })
  t.is((await bob.hears('hi')).text, 'hi')
})

test('users know a plugin’s messages: requests, pushes and refusals', async (t) => {
  await using server = await testServer({ plugins: [waving] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const wentBy = server.next(WentBy)
  const handled = server.next(Wave)
  t.deepEqual(await ann.request(Wave, { at: 'bob' }), {})
  t.deepEqual(await bob.next(Waved), { by: 'ann' })
  t.deepEqual(await wentBy, { who: 'ann' })
  t.like(await handled, { session: { user: { name: 'ann' } }, values: { at: 'bob' } })
  t.is(await ann.refused(ann.request(Wave, { at: 'nobody' })), 'waving.nobody')
  await t.throwsAsync(ann.refused(ann.request(Wave, { at: 'bob' })), { message: 'ann was not refused' })
  t.is(await ann.refused(ann.request(JoinRoom, { group: 'ops' })), 'group_not_exist')
})

test('next() fails after its time limit with the pushes that arrived instead', async (t) => {
  await using server = await testServer({ plugins: [waving] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await ann.says('bob', 'hi')
  await bob.hears('hi')
  await t.throwsAsync(bob.next(Waved, { within: 5 }), {
    message: /^bob was not told waved within 5 ms, but on_new_message\./,
  })
  t.is((await bob.next(OnNewMessage)).messages.length, 1)
  await t.throwsAsync(server.next(WentBy, { within: 5 }), {
    message: /^waving\.went_by did not happen within 5 ms\./,
  })
})

test('dispose() fails when a plugin’s listener has thrown and failures() was not read', async (t) => {
  const unseen = await testServer({ plugins: [waving] })
  await (await unseen.user('ann')).request(Wave, { at: 'the wall' })
  const error = await t.throwsAsync(unseen.dispose(), {
    message: /^code of plugins has thrown:\n {2}waving, wave: Error: nobody waves back\n/,
  })
  t.like(error?.cause, { message: 'nobody waves back' })

  const seen = await testServer({ plugins: [waving] })
  await (await seen.user('ann')).request(Wave, { at: 'the wall' })
  t.like(seen.failures(), [{ plugin: 'waving', event: 'wave', error: { message: 'nobody waves back' } }])
  await t.notThrowsAsync(seen.dispose())

  const told = await testServer({ plugins: [waving] })
  const ann = await told.user('ann')
  await ann.request(Wave, { at: 'the wall' })
  await t.throwsAsync(ann.hears('anything', { within: 5 }), { message: /waving, wave: Error: nobody waves back/ })
  await t.notThrowsAsync(told.dispose())

  const ignored = await testServer({ plugins: [waving], ignoreFailures: true })
  await (await ignored.user('ann')).request(Wave, { at: 'the wall' })
  await t.notThrowsAsync(ignored.dispose())
})

test('the clock stands still until it is advanced, and calls due timers in order', async (t) => {
  const calls: string[] = []
  const ticking = definePlugin({
    name: 'ticking',
    setup(app) {
      const note = (what: string) => calls.push(`${what} ${new Date(app.clock.time()).toISOString().slice(11, 19)}`)
      app.every(60_000, () => note('every'))
      app.clock.after(90_000, () => {
        note('after')
        app.clock.after(0, () => note('at once'))
      })
      app.clock.after(100_000, () => note('never')).cancel()
    },
  })
  await using server = await testServer({ plugins: [ticking], clock: new Date('2030-06-01T12:00:00Z') })
  await server.clock.advance(59_999)
  t.deepEqual(calls, [])
  await server.clock.advance(1)
  t.deepEqual(calls, ['every 12:01:00'])
  await server.clock.advance(60_000)
  t.deepEqual(calls, ['every 12:01:00', 'after 12:01:30', 'at once 12:01:30', 'every 12:02:00'])
  server.clock.setTime(new Date('2030-06-01T20:00:00Z'))
  await server.clock.advance(60_000)
  t.is(calls.at(-1), 'every 20:01:00')
  t.is(server.status().uptime, 180)
})

test('the work of a timer is done before the next timer is called', async (t) => {
  const chain = definePlugin({
    name: 'chain',
    messages: {},
    setup(app) {
      let ann: UserSession | undefined
      app.on(SessionStarted, (session) => {
        if (session.user.name === 'ann') ann = session
      })
      app.every(1000, async () => {
        if (ann !== undefined) await ann.request(SendMessage, { to: 'bob', text: String(app.clock.now()) })
      })
    },
  })
  await using server = await testServer({ plugins: [chain] })
  await server.user('ann')
  const bob = await server.user('bob')
  const told: number[] = []
  bob.client.on(OnNewMessage, () => told.push(server.clock.now()))
  await server.clock.advance(3000)
  t.deepEqual(told, [1000, 2000, 3000])
  t.deepEqual(
    (await bob.client.inbox()).messages.map(({ sentAt }) => sentAt.getTime() % 10_000),
    [1000, 2000, 3000],
  )
})

test('connections stay open while the clock advances by an hour', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await server.clock.advance(3600 * 1000)
  await ann.says('bob', 'still there?')
  t.is((await bob.hears('still there?')).sentAt.toISOString(), '2030-01-01T01:00:00.000Z')
})

test('a client reconnects after a lost connection, and no message is heard twice', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await ann.says('bob', 'before')
  await server.settled()
  const ended = server.next(SessionEnded)
  const back = new Promise<void>((resolve) => bob.client.onLife('reconnected', resolve))
  server.loseConnections('bob')
  t.is((await ended).user.name, 'bob')
  await ann.says('bob', 'meanwhile')
  await back
  await bob.hears('before')
  await bob.hears('meanwhile')
  await bob.hearsNothing()
})

test('each call of user() opens one more session; operator() and connect() open none', async (t) => {
  await using server = await testServer()
  const [desk, phone] = [await server.user('ann'), await server.user('ann')]
  await server.operator()
  const stranger = await server.connect()
  await stranger.register('eve', 'a password of her own')
  t.is(server.status().users, 1)
  await stranger.login('eve', { password: 'a password of her own' })
  t.is(server.status().users, 2)
  await stranger.send('ann', 'hi')
  await Promise.all([desk.hears('hi'), phone.hears('hi')])
  await t.throwsAsync(server.user('ann', { role: 'admin' }), { message: 'ann has the role user already, not admin' })
})

test('the failure of hears() names the reason of an ended session, and pending waits do not delay dispose()', async (t) => {
  await using server = await testServer()
  const [ann, root] = [await server.user('Ann'), await server.user('root', { role: 'admin' })]
  t.is(ann.name, 'ann')
  await root.request(KickUser, { user: 'ann' })
  await t.throwsAsync(ann.hears('hi', { within: 5 }), {
    message: /\nann’s connection is over: an admin ended the session/,
  })
  const waiting = [root.hears('hi', { within: 50 }), server.next(SessionEnded, { within: 50 })]
  let isComplaining = false
  for (const promise of waiting) promise.catch(() => (isComplaining = true))
  await server.dispose()
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.false(isComplaining)
})

test('bot() starts a bot on its own account and on the test clock; it reconnects, and stops with the server', async (t) => {
  const bot = createBot({ name: 'waiter' })
    .command('order', { about: 'Orders' }, async (ctx) => {
      const answer = await ctx.ask('What?', { timeout: 60_000 })
      await ctx.reply(answer?.text ?? 'too late')
    })
    .schedule('0 * * * *', (ctx) => ctx.send('ann', `it is ${ctx.time.getUTCHours()}`), { timezone: 'UTC' })
  await using server = await testServer()
  const ann = await server.user('ann')
  const running = await server.bot(bot, 'waiter', { consumer: 'orders' })

  t.is(await ann.asks('waiter', '/order'), 'What?')
  t.is(await ann.asks('waiter', 'tea'), 'tea')

  await ann.says('waiter', '/order')
  await ann.hears('What?')
  await server.clock.advance(59_999)
  await ann.hearsNothing()
  await server.clock.advance(1)
  await ann.hears('too late')

  await server.clock.advance(3_600_000)
  await ann.hears('it is 1')

  const ended = server.next(SessionEnded)
  server.loseConnections('waiter')
  t.is((await ended).user.role, 'bot')
  await ann.says('waiter', '/order')
  await ann.hears('What?')

  await server.dispose()
  await running.done
})

test('two servers of one test are independent', async (t) => {
  await using one = await testServer()
  await using other = await testServer()
  const ann = await one.user('ann')
  await other.user('bob')
  t.is(await ann.refused(ann.says('bob', 'hi')), 'user_not_exist')
})

test('dispose() moves the clock for pending work, and may be called again', async (t) => {
  const slow = definePlugin({
    name: 'slow',
    messages: { Wave },
    setup: (app) => app.handle(Wave, () => new Promise(() => {})),
  })
  const server = await testServer({ plugins: [slow] })
  const ann = await server.user('ann')
  const waving = t.throwsAsync(ann.request(Wave, { at: 'bob' }), { name: 'ClientError' })
  await server.settled()
  await Promise.all([server.dispose(), server.dispose()])
  await waving
  await t.throwsAsync(ann.says('ann', 'hi'), { message: 'the client was closed' })
})

test('testServer() fails with the SetupError of a server that cannot start', async (t) => {
  await t.throwsAsync(testServer({ without: ['mesages'] }), { name: 'SetupError', message: /no built-in plugin/ })
  await t.throwsAsync(testServer({ pluginOptions: { wavin: {} } }), {
    message: /options.wavin: no plugin of that name is loaded/,
  })
  await t.throwsAsync(testServer({ without: ['accounts'] }), { message: /needs accounts, which is not loaded/ })
  const real = await testServer({ clock: 'system' })
  t.throws(() => real.clock, { message: /runs on the system’s clock/ })
  await real.dispose()
})

import test from 'ava'
import pino from 'pino'
import { z } from 'zod'
import { createBot, type ScheduleContext } from '../../bot/index.ts'
import {
  AddFriend,
  AddFriendResult,
  CreateRoom,
  FriendList,
  InviteToRoom,
  QueryFriendRequests,
  QueryInvitations,
  QueryRooms,
} from '../../client/index.ts'
import { clientMessage, definePlugin, Refused, serverMessage, text } from '../../core/index.ts'
import { BotLoop } from '../../plugins/messages/events.ts'
import { testServer } from '../../testing/index.ts'
import { enter, nextTexts, startBot, until } from '../support/bots/bots.ts'
import { nextPush } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { openProxy } from '../support/wire/proxy.ts'

/** Records log levels and messages. */
function keptLog() {
  const lines: { level: number; msg: string; err?: { message: string } }[] = []
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) })
  return { log, said: (msg: string) => lines.filter((line) => line.msg === msg), lines }
}

test('a handler’s error is reported, its event counts as handled, and the bot continues', async (t) => {
  const server = await startLocalServer(t)
  const told: string[] = []
  const bot = createBot({ name: 'clerk' })
    .hears('bad', () => {
      throw new Error('cannot do that')
    })
    .message((ctx) => ctx.reply('fine'))
  const { log, said } = keptLog()
  const first = await startBot(t, server, bot, { log })
  const ann = await enter(t, server, 'ann')
  await ann.says('clerk', 'bad')
  t.is(await ann.asks('clerk', 'good'), 'fine')
  t.like(said('a handler failed'), { 0: { level: 50, err: { message: 'cannot do that' }, handler: 'hears bad' } })
  await first.stop()
  bot.catch(async (error, ctx) => {
    told.push((error as Error).message)
    if ('reply' in ctx) await ctx.reply('sorry')
    throw new Error('twice')
  })
  await startBot(t, server, bot, { log })
  t.is(await ann.asks('clerk', 'bad'), 'sorry')
  t.is(await ann.asks('clerk', 'good'), 'fine')
  t.deepEqual(told, ['cannot do that'])
  t.is(said('the error handler failed').length, 1)
})

test('middleware wraps handlers, the first outermost, and may skip them', async (t) => {
  const server = await startLocalServer(t)
  const seen: string[] = []
  const bot = createBot({ name: 'clerk' })
    .use(async (ctx, next) => {
      seen.push(`before ${ctx.text}`)
      await next()
      seen.push(`after ${ctx.text}`)
    })
    .use((ctx, next) => (ctx.from === 'bob' ? ctx.reply('not you') : next()))
    .message((ctx) => {
      seen.push('handler')
      return ctx.reply('yes?')
    })
  await startBot(t, server, bot)
  const [ann, bob] = [await enter(t, server, 'ann'), await enter(t, server, 'bob')]
  t.is(await ann.asks('clerk', 'one'), 'yes?')
  await until(() => seen.length === 3)
  t.is(await bob.asks('clerk', 'two'), 'not you')
  await until(() => seen.length === 5)
  t.deepEqual(seen, ['before one', 'handler', 'after one', 'before two', 'after two'])
})

const Busy = clientMessage({ type: 1000, name: 'busy', about: '', allow: 'user', fields: {} })

/** Refuses so many times, then succeeds. */
const busy = (times: number) =>
  definePlugin({
    name: 'busy',
    messages: { Busy },
    setup(app) {
      let left = times
      app.handle(Busy, () => {
        if (left-- > 0) throw new Refused('busy.later', 'later', { retryAfter: 5000 })
      })
    },
  })

test('a transient refusal is retried after the server’s retryAfter', async (t) => {
  await using server = await testServer({ plugins: [busy(2)] })
  let runs = 0
  const bot = createBot({ name: 'clerk', messages: { Busy } }).message(async (ctx) => {
    runs++
    await ctx.reply('on it')
    await ctx.request(Busy, {})
    await ctx.reply('done')
  })
  await server.bot(bot, 'clerk')
  const ann = await server.user('ann')
  t.is(await ann.asks('clerk', 'do it'), 'on it')
  for (const run of [1, 2]) {
    await server.clock.advance(4999)
    t.is(runs, run)
    await server.clock.advance(1)
    t.is(runs, run + 1)
  }
  await ann.hears('done')
})

test('a handler is tried six times at most', async (t) => {
  await using server = await testServer({ plugins: [busy(1000)] })
  let runs = 0
  const bot = createBot({ name: 'clerk', messages: { Busy } })
    .hears('do it', async (ctx) => {
      runs++
      await ctx.request(Busy, {})
    })
    .message((ctx) => ctx.reply('fine'))
  const { log, said } = keptLog()
  await server.bot(bot, 'clerk', { log })
  const ann = await server.user('ann')
  await ann.says('clerk', 'do it')
  for (let run = 1; run < 6; run++) await server.clock.advance(60_000)
  t.is(await ann.asks('clerk', 'hello'), 'fine')
  t.is(runs, 6)
  t.like(said('a handler failed'), { length: 1, 0: { err: { message: 'later' } } })
})

test('a bot reconnects after a lost connection, and its effects take place once', async (t) => {
  const server = await startLocalServer(t)
  const proxy = await openProxy(t, server)
  const life: string[] = []
  let runs = 0
  const bot = createBot({ name: 'clerk' })
    .message(async (ctx) => {
      if (++runs % 3 === 0) proxy.cut()
      await ctx.reply(`${ctx.text}!`)
    })
    .onLife('started', () => life.push('started'))
    .onLife('disconnected', () => life.push('disconnected'))
    .onLife('reconnected', () => life.push('reconnected'))
    .onLife('stopped', () => life.push('stopped'))
  const running = await startBot(t, server, bot, { server: proxy.address })
  const ann = await enter(t, server, 'ann')
  for (let n = 0; n < 12; n++) await ann.says('clerk', String(n))
  t.deepEqual(
    await nextTexts(ann, 12),
    Array.from({ length: 12 }, (_, n) => `${n}!`),
  )
  await running.stop()
  t.is(life.at(0), 'started')
  t.is(life.at(-1), 'stopped')
  t.true(life.filter((event) => event === 'disconnected').length >= 3)
  t.true(life.includes('reconnected'))
})

test('a kicked bot ends with the reason', async (t) => {
  const server = await startLocalServer(t)
  const running = await startBot(t, server, createBot({ name: 'clerk' }))
  await using operator = await server.operator()
  const { KickUser } = await import('../../plugins/admin/messages.ts')
  const stopped = new Promise((resolve) => running.onLife('stopped', resolve))
  await operator.request(KickUser, { user: 'clerk' })
  await t.throwsAsync(running.done, { message: /ended|kicked/ })
  t.like(await stopped, { failure: 'kicked' })
})

test('friend requests are answered by the bot’s policy, pending ones at the start too', async (t) => {
  const server = await startLocalServer(t)
  const ann = await enter(t, server, 'ann')
  const bob = await enter(t, server, 'bob')
  const open = async () => (await ann.client.request(QueryFriendRequests, {})).requests.length
  await server.user('kind')
  await ann.client.request(AddFriend, { user: 'kind' })
  await startBot(t, server, createBot({ name: 'kind' }))
  await until(async () => (await open()) === 0)
  t.is((await ann.client.request(FriendList, {})).friends.length, 1)

  await startBot(t, server, createBot({ name: 'choosy', friends: ({ note }) => note === 'please' }))
  const added = [ann, bob].map(({ client }) => nextPush(client, AddFriendResult))
  await ann.client.request(AddFriend, { user: 'choosy', note: 'please' })
  await bob.client.request(AddFriend, { user: 'choosy' })
  t.deepEqual(
    (await Promise.all(added)).map(({ accepted }) => accepted),
    [true, false],
  )
  await startBot(
    t,
    server,
    createBot({ name: 'shy', friends: 'ignore' }).message((ctx) => ctx.reply('hello')),
  )
  await ann.client.request(AddFriend, { user: 'shy' })
  t.is(await ann.asks('shy', 'hello'), 'hello')
  t.is(await open(), 1)
})

test('invitations are accepted or ignored by the bot’s policy', async (t) => {
  const server = await startLocalServer(t)
  const ann = await enter(t, server, 'ann')
  for (const group of ['work', 'play']) await ann.client.request(CreateRoom, { group, open: false })
  const bot = createBot({ name: 'clerk', invitations: ({ group }) => group === 'work' }).message((ctx) =>
    ctx.reply(`here in ${ctx.group}`),
  )
  const running = await startBot(t, server, bot)
  for (const group of ['play', 'work']) await ann.client.request(InviteToRoom, { group, user: 'clerk' })
  await until(async () => (await running.client.request(QueryRooms, {})).groups.length > 0)
  t.is(await ann.asks({ group: 'work' }, 'hello'), 'here in work')
  t.is((await running.client.request(QueryRooms, {})).groups.length, 1)
})

test('an invitation that came while the bot was offline is answered at its start', async (t) => {
  const server = await startLocalServer(t)
  const ann = await enter(t, server, 'ann')
  await server.user('clerk')
  for (const group of ['work', 'play']) {
    await ann.client.request(CreateRoom, { group, open: false })
    await ann.client.request(InviteToRoom, { group, user: 'clerk' })
  }
  const bot = createBot({ name: 'clerk', invitations: ({ group, by }) => group === 'work' && by === 'ann' }).message(
    (ctx) => ctx.reply(`here in ${ctx.group}`),
  )
  const running = await startBot(t, server, bot)
  await until(async () => (await running.client.request(QueryRooms, {})).groups.length > 0)
  t.is(await ann.asks({ group: 'work' }, 'hello'), 'here in work')
  t.deepEqual(
    (await running.client.request(QueryInvitations, {})).invitations.map(({ group }) => group),
    ['play'],
  )
})

/** A plugin that records the bot loops reported by the server. */
function watcher() {
  const told: { readonly bots: readonly string[]; readonly group: string }[] = []
  const plugin = definePlugin({
    name: 'watcher',
    setup: (app) => app.on(BotLoop, (loop) => told.push(loop)),
  })
  return { plugin, told }
}

test('a loop of two bots in a group is stopped, and the server logs both names', async (t) => {
  const { plugin, told } = watcher()
  const server = await startLocalServer(t, { plugins: [plugin] })
  const ann = await enter(t, server, 'ann')
  await ann.client.request(CreateRoom, { group: 'ops' })
  const { log, said, lines } = keptLog()
  const loops: string[] = []
  for (const name of ['echo', 'parrot']) {
    const bot = createBot({ name, groups: ['ops'] })
      .message((ctx) => ctx.reply(ctx.text))
      .onLife('loop', (chat) => loops.push(`${name}: ${chat}`))
    await startBot(t, server, bot, { log })
  }
  await ann.says({ group: 'ops' }, 'hello')
  await until(() => loops.length === 2)
  t.deepEqual(loops.sort(), ['echo: group ops', 'parrot: group ops'])
  const { messages } = await ann.client.groupHistory('ops', { limit: 100 })
  t.is(messages.length, 21, 'one of a person, and ten of each bot')
  t.is(said('the server stopped a bot loop').length, 2)
  t.false(lines.some(({ level }) => level >= 50))
  t.true(told.length > 0)
  for (const { bots, group } of told)
    t.deepEqual({ bots: [...bots].sort(), group }, { bots: ['echo', 'parrot'], group: 'ops' })
  // A message of a person starts a new chain, and the loop is reported once.
  await ann.says({ group: 'ops' }, 'again')
  await until(async () => (await ann.client.groupHistory('ops', { limit: 100 })).messages.length === 42)
  t.is(loops.length, 2)
})

test('a loop of two bots in private is stopped, and the server logs both names', async (t) => {
  const { plugin, told } = watcher()
  await using server = await testServer({ plugins: [plugin] })
  const bot = (name: string) =>
    createBot({ name })
      .command('greet', { about: 'Greets', args: { whom: z.string() } }, (ctx, { whom }) => ctx.send(whom, 'hello'))
      .message((ctx) => ctx.reply(ctx.text))
  const echo = await server.bot(bot('echo'), 'echo')
  const parrot = await server.bot(bot('parrot'), 'parrot')
  const stopped = Promise.race([echo, parrot].map((one) => new Promise((resolve) => one.onLife('loop', resolve))))
  const ann = await server.user('ann')
  await ann.says('echo', '/greet parrot')
  t.regex(String(await stopped), /^user (echo|parrot)$/)
  await server.settled()
  t.is(told.length, 1)
  t.deepEqual(
    { bots: [...(told[0]?.bots ?? [])].sort(), group: told[0]?.group },
    { bots: ['echo', 'parrot'], group: '' },
  )
  const { messages } = await echo.client.history('parrot', { limit: 100 })
  t.is(messages.length, 10)
  t.is(await ann.asks('parrot', 'still there?'), 'still there?')
})

test('schedules run by the clock, with effects once across processes of the bot', async (t) => {
  const eight = new Date('2030-06-01T08:00:00Z')
  await using server = await testServer({ clock: eight })
  const ann = await server.user('ann')
  const said = (ctx: ScheduleContext) => ctx.send('ann', `it is ${ctx.time.toISOString()}`)
  const bot = createBot({ name: 'clock' }).schedule('0 9 * * *', said, { name: 'morning', timezone: 'UTC' })
  const first = await server.bot(bot, 'clock')
  await server.clock.advance(3_599_999)
  await ann.hearsNothing()
  await server.clock.advance(1)
  await ann.hears('it is 2030-06-01T09:00:00.000Z')
  await first.stop()
  // A second process that takes over within the same minute.
  server.clock.setTime(eight)
  await server.bot(bot, 'clock')
  await server.clock.advance(3_600_000)
  await ann.hearsNothing()
  await server.clock.advance(86_400_000)
  t.is((await ann.hears(/./)).text, 'it is 2030-06-02T09:00:00.000Z')
})

test('a schedule’s handler can ask questions', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  const bot = createBot({ name: 'clock' })
    .schedule('* * * * *', async (ctx) => {
      const answer = await ctx.ask('ann', 'All well?', { options: ['yes', 'no'], timeout: 30_000 })
      await ctx.send('ann', answer?.choice ?? 'no answer')
    })
    .message((ctx) => ctx.reply('what?'))
  await server.bot(bot, 'clock')
  await server.clock.advance(60_000)
  await ann.hears('All well? (yes / no)')
  t.is(await ann.asks('clock', 'yes'), 'yes')
  await server.clock.advance(60_000)
  await ann.hears('All well? (yes / no)')
  await server.clock.advance(30_000)
  await ann.hears('no answer')
  t.is(await ann.asks('clock', 'yes'), 'what?')
})

const Rang = serverMessage({ type: 1001, name: 'rang', about: '', fields: { what: text('what rang') } })
const Ring = clientMessage({ type: 1002, name: 'ring', about: '', allow: 'user', fields: { what: text('what') } })
const bells = definePlugin({
  name: 'bells',
  messages: { Rang, Ring },
  setup(app) {
    app.handle(Ring, (_session, { what }) => {
      app.users.sendToAll(Rang, { what })
    })
  },
})

test('a bot receives a plugin’s pushes and makes its requests', async (t) => {
  const server = await startLocalServer(t, { plugins: [bells] })
  const bot = createBot({ name: 'ringer', messages: { Ring } })
    .on(Rang, ({ what }, ctx) => ctx.send('ann', `${what} rang`))
    .command('ring', { about: 'Rings' }, (ctx) => ctx.request(Ring, { what: 'the bell' }))
  await startBot(t, server, bot)
  const ann = await enter(t, server, 'ann')
  t.is(await ann.asks('ringer', '/ring'), 'the bell rang')
})

test('handled messages are marked as read; system messages and the bot’s own are not handled', async (t) => {
  const server = await startLocalServer(t)
  const seen: string[] = []
  const bot = createBot({ name: 'clerk' }).message((ctx) => {
    seen.push(ctx.text)
    return ctx.reply('yes')
  })
  const running = await startBot(t, server, bot)
  await using operator = await server.operator()
  const { Broadcast } = await import('../../plugins/system/messages.ts')
  await operator.request(Broadcast, { text: 'down from 6 to 7' })
  const ann = await enter(t, server, 'ann')
  await running.client.send('clerk', 'to myself')
  t.is(await ann.asks('clerk', 'hello'), 'yes')
  t.deepEqual(seen, ['hello'])
  await until(async () => (await running.client.inbox()).messages.every(({ from }) => from !== 'ann'))
})

test('a failed login rejects start with its reason', async (t) => {
  const server = await startLocalServer(t)
  const bot = createBot({ name: 'clerk' })
  await server.user('clerk')
  const how = { server: server.address, user: 'clerk', pin: server.server.fingerprint }
  await t.throwsAsync(bot.start({ ...how, key: 'wrong' }), { message: /name or password|login/i })
  await t.throwsAsync(bot.start(how), { instanceOf: TypeError, message: /give a key/ })
  await t.throwsAsync(bot.start({ ...how, server: '127.0.0.1:1', key: 'x' }), { code: 'unreachable' })
})

test('a bot stops when its signal aborts', async (t) => {
  const server = await startLocalServer(t)
  const stop = new AbortController()
  const running = await startBot(t, server, createBot({ name: 'clerk' }), { signal: stop.signal })
  stop.abort()
  await t.notThrowsAsync(running.done)
})

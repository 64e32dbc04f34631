import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import pino from 'pino'
import { type Bot, createBot, type StateOptions } from '../../bot/index.ts'
import { openState } from '../../bot/state.ts'
import { CreateRoom, QueryConsumers, QueryRooms } from '../../client/index.ts'
import { testServer } from '../../testing/index.ts'
import { enter, Gate, nextTexts, startBot, until } from '../support/bots/bots.ts'
import { texts } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** Ends a bot like a crash: its handlers have no further effects. */
const CRASH = { grace: 0 }

test('effects of a handler that runs again after a crash take place once', async (t) => {
  const server = await startLocalServer(t)
  const gate = new Gate()
  const bot = createBot({ name: 'builder' }).command('build', { about: 'Makes a group' }, async (ctx) => {
    await ctx.reply('building')
    await ctx.request(CreateRoom, { group: 'the place' })
    await gate.pass()
    await ctx.reply('built')
  })
  const first = await startBot(t, server, bot)
  const ann = await enter(t, server, 'ann')
  await ann.says('builder', '/build')
  await gate.reached(1)
  await first.stop(CRASH)
  gate.open()
  const second = await startBot(t, server, bot)
  t.deepEqual(await nextTexts(ann, 2), ['building', 'built'])
  const { groups } = await second.client.request(QueryRooms, {})
  t.deepEqual(
    groups.map(({ group }) => group),
    ['the place'],
  )
  await second.stop()
  await startBot(t, server, bot)
  t.is(await ann.asks('builder', '/help build'), '/build\nMakes a group')
})

test('after a restart unacknowledged and missed events are delivered, but none from before the bot', async (t) => {
  const server = await startLocalServer(t)
  const gate = new Gate()
  const seen: string[] = []
  const bot = createBot({ name: 'clerk' }).message(async (ctx) => {
    seen.push(ctx.text)
    if (ctx.text === 'two') await gate.pass()
    await ctx.reply(`${ctx.text} done`)
  })
  const ann = await enter(t, server, 'ann')
  await server.user('clerk')
  await ann.says('clerk', 'before')
  const first = await startBot(t, server, bot)
  t.is(await ann.asks('clerk', 'one'), 'one done')
  await ann.says('clerk', 'two')
  await ann.says('clerk', 'three')
  await gate.reached(1)
  await first.stop(CRASH)
  await ann.says('clerk', 'four')
  gate.open()
  await startBot(t, server, bot)
  t.deepEqual(await nextTexts(ann, 3), ['two done', 'three done', 'four done'])
  t.deepEqual(seen, ['one', 'two', 'two', 'three', 'four'])
})

test('a bot can start with all messages, with recent ones, or replay from a message or a time', async (t) => {
  const server = await startLocalServer(t)
  const ann = await enter(t, server, 'ann')
  await server.user('clerk')
  const { id } = await ann.says('clerk', 'one')
  await ann.says('clerk', 'two')
  let seen: string[] = []
  const bot = createBot({ name: 'clerk' }).message((ctx) => void seen.push(ctx.text))
  const hears = async (expected: string[], options: object, of: Bot = bot) => {
    seen = []
    const running = await startBot(t, server, of, options)
    await until(() => seen.length >= expected.length)
    await running.stop()
    t.deepEqual(seen, expected)
  }
  await hears(['one', 'two'], { all: true })
  await hears(['two'], { replay: { after: id } })
  await hears(['one', 'two'], { replay: { since: new Date(0) } })
  await hears([], {})
  await hears(['one', 'two'], { all: true, consumer: 'another' })
  const recent = createBot({ name: 'clerk', backlog: { maxAge: 1 } }).message((ctx) => void seen.push(ctx.text))
  const running = await startBot(t, server, recent, { all: true, consumer: 'recent' })
  seen = []
  await ann.says('clerk', 'new')
  await until(() => seen.length > 0)
  await running.stop()
  t.deepEqual(seen, ['new'])
})

test('a replay that skips events is reported', async (t) => {
  const server = await startLocalServer(t)
  const ann = await enter(t, server, 'ann')
  const warnings: string[] = []
  const log = pino({ level: 'warn' }, { write: (line) => void warnings.push(line) })
  const bot = createBot({ name: 'clerk' }).message((ctx) => ctx.reply('here'))
  await (await startBot(t, server, bot)).stop()
  const { id } = await ann.says('clerk', 'while it is away')
  await t.throwsAsync(startBot(t, server, bot, { replay: { after: id } }), { code: 'nothing_to_replay' })
  const running = await startBot(t, server, bot, { replay: { since: new Date(Date.now() + 60_000) }, log })
  t.regex(warnings.join(), /"to":\d+.*the replay skips/)
  t.is(await ann.asks('clerk', 'hello'), 'here')
  await running.stop()
  t.is(ann.heard.length, 1)
  await t.notThrowsAsync(ann.hearsNothing())
})

test('stop lets handlers finish', async (t) => {
  const server = await startLocalServer(t)
  const gate = new Gate()
  const bot = createBot({ name: 'clerk' }).message(async (ctx) => {
    await gate.pass()
    await ctx.reply('done')
  })
  const running = await startBot(t, server, bot)
  const ann = await enter(t, server, 'ann')
  await ann.says('clerk', 'hello')
  await gate.reached(1)
  const stopped = running.stop()
  gate.open()
  await stopped
  await running.done
  t.is((await ann.hears(/^/)).text, 'done')
  const self = await server.user('clerk')
  t.like((await self.request(QueryConsumers, {})).consumers, { 0: { consumer: 'clerk', pending: 0 } })
})

const counter = (state: StateOptions<{ count: number }>, gate: Gate) =>
  createBot({ name: 'counter', state }).message(async (ctx) => {
    ctx.state.count++
    await gate.pass()
    await ctx.reply(String(ctx.state.count))
  })

for (const where of ['server', 'file'] as const)
  test(`state is per chat, survives restarts, and applies a redelivered event once: ${where}`, async (t) => {
    const server = await startLocalServer(t)
    const file = join(await tempFolder(t), 'state.json')
    const gate = new Gate()
    gate.open()
    const bot = counter({ initial: () => ({ count: 0 }), in: where === 'file' ? { file } : 'server' }, gate)
    const first = await startBot(t, server, bot)
    const [ann, bob] = [await enter(t, server, 'ann'), await enter(t, server, 'bob')]
    t.is(await ann.asks('counter', 'more'), '1')
    t.is(await ann.asks('counter', 'more'), '2')
    t.is(await bob.asks('counter', 'more'), '1')
    gate.close()
    await ann.says('counter', 'more')
    await gate.reached(4)
    await first.stop(CRASH)
    gate.open()
    await startBot(t, server, bot)
    t.is((await ann.hears(/^/)).text, '3')
    t.is(await ann.asks('counter', 'more'), '4')
    t.is(await bob.asks('counter', 'more'), '2')
  })

test('state in memory is lost when the bot stops', async (t) => {
  const server = await startLocalServer(t)
  const gate = new Gate()
  gate.open()
  const bot = counter({ initial: () => ({ count: 0 }), in: 'memory' }, gate)
  const first = await startBot(t, server, bot)
  const ann = await enter(t, server, 'ann')
  t.is(await ann.asks('counter', 'more'), '1')
  t.is(await ann.asks('counter', 'more'), '2')
  await first.stop()
  await startBot(t, server, bot)
  t.is(await ann.asks('counter', 'more'), '1')
})

test('a state file keeps the state before an unacknowledged event', async (t) => {
  const file = join(await tempFolder(t), 'state.json')
  const parts = {} as Parameters<typeof openState>[1]
  const first = await openState({ file }, parts)
  await first.save('user ann', '1', '"one"')
  await Promise.all([first.save('user ann', '2', '"two"'), first.save('user bob', '3', '"bob"')])
  const second = await openState({ file }, parts)
  t.is(await second.load('user ann', '2'), '"one"')
  t.is(await second.load('user ann', '4'), '"two"')
  t.is(await second.load('user bob', '3'), undefined)
  t.is(await second.load('user bob', '4'), '"bob"')
  await second.save('user ann', '2', '"two, again"')
  t.is(await second.load('user ann', '2'), '"one"')
})

test('an invalid state file is refused, and not changed', async (t) => {
  const server = await startLocalServer(t)
  const file = join(await tempFolder(t), 'state.json')
  await writeFile(file, '{"user ann": ')
  const bot = counter({ initial: () => ({ count: 0 }), in: { file } }, new Gate())
  await t.throwsAsync(startBot(t, server, bot), { message: /state\.json is not a bot's state/ })
  t.is(await readFile(file, 'utf8'), '{"user ann": ')
  const folder = join(await tempFolder(t), 'folder')
  await mkdir(folder)
  await t.throwsAsync(
    startBot(t, server, counter({ initial: () => ({ count: 0 }), in: { file: folder } }, new Gate())),
    {
      code: 'EISDIR',
    },
  )
})

test('a question survives a restart: it is sent once, and may be answered while the bot is offline', async (t) => {
  const server = await startLocalServer(t)
  const bot = createBot({ name: 'waiter' })
    .command('order', { about: 'Orders' }, async (ctx) => {
      const drink = await ctx.ask('Which?', { options: ['tea', 'coffee'] })
      await ctx.reply(`${drink?.choice}!`)
    })
    .message((ctx) => ctx.reply('what?'))
  const first = await startBot(t, server, bot)
  const ann = await enter(t, server, 'ann')
  t.is(await ann.asks('waiter', '/order'), 'Which? (tea / coffee)')
  await first.stop()
  await ann.says('waiter', 'coffee')
  const second = await startBot(t, server, bot)
  t.is((await ann.hears(/^/)).text, 'coffee!')
  t.is(await ann.asks('waiter', 'tea'), 'what?')
  await second.stop()
  await startBot(t, server, bot)
  t.is(await ann.asks('waiter', 'hello'), 'what?')
  t.deepEqual(texts(ann.heard), ['Which? (tea / coffee)', 'coffee!', 'what?', 'what?'])
})

test('a restart does not reset the timeout of a question', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'waiter' }).command('order', { about: 'Orders' }, async (ctx) => {
    await ctx.reply((await ctx.ask('Which?', { timeout: 60_000 }))?.text ?? 'too late')
  })
  const first = await server.bot(bot, 'waiter')
  const ann = await server.user('ann')
  t.is(await ann.asks('waiter', '/order'), 'Which?')
  await first.stop()
  await server.clock.advance(59_000)
  await server.bot(bot, 'waiter')
  // One second is left, but a restarted question waits at least two, for answers sent meanwhile.
  await server.clock.advance(1999)
  await t.notThrowsAsync(ann.hearsNothing())
  await server.clock.advance(1)
  await ann.hears('too late')
})

test('the answer to a question in another chat reaches its question after a restart too', async (t) => {
  const server = await startLocalServer(t)
  const bot = createBot({ name: 'desk' })
    .command('leave', { about: 'Asks for leave' }, async (ctx) => {
      const answer = await ctx.ask(`May ${ctx.from} go?`, { to: 'boss', options: ['yes', 'no'] })
      await ctx.reply(`The boss says ${answer?.choice}.`)
    })
    .message((ctx) => ctx.reply('what?'))
  const first = await startBot(t, server, bot)
  const [ann, boss] = [await enter(t, server, 'ann'), await enter(t, server, 'boss')]
  await ann.says('desk', '/leave')
  t.is((await boss.hears(/^/)).text, 'May ann go? (yes / no)')
  await boss.says('desk', 'no')
  t.is((await ann.hears(/^/)).text, 'The boss says no.')
  await ann.says('desk', '/leave')
  await boss.hears('May ann go? (yes / no)')
  await first.stop()
  await boss.says('desk', 'yes')
  const second = await startBot(t, server, bot)
  t.is((await ann.hears(/^/)).text, 'The boss says yes.')
  t.is(await boss.asks('desk', 'anything else?'), 'what?')
  await second.stop()
  t.is(boss.heard.length, 3)
  await t.notThrowsAsync(boss.hearsNothing())
})

test('a bot whose consumer is taken over by another process ends with that reason', async (t) => {
  const server = await startLocalServer(t)
  const bot = createBot({ name: 'clerk' }).message((ctx) => ctx.reply('here'))
  const first = await startBot(t, server, bot)
  const second = await startBot(t, server, bot)
  await t.throwsAsync(first.done, { name: 'BotError', code: 'consumer_taken' })
  const ann = await enter(t, server, 'ann')
  t.is(await ann.asks('clerk', 'hello'), 'here')
  const third = await startBot(t, server, bot)
  await t.throwsAsync(second.done, { code: 'consumer_taken' })
  t.is(await ann.asks('clerk', 'hello'), 'here')
  await third.stop()
})

import test from 'ava'
import pino from 'pino'
import { z } from 'zod'
import { createBot } from '../../bot/index.ts'
import { RenameRoom } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { Gate } from '../support/bots/bots.ts'

/** Ends a bot like a crash: its handlers have no further effects. */
const CRASH = { grace: 0 }

/** A log that records its lines. */
function openLog(level: string) {
  const lines: string[] = []
  return { lines, log: pino({ level }, { write: (line) => void lines.push(line) }) }
}

test('killed at the second of two questions to Ann: her answer reaches that question', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const bot = createBot({ name: 'asker' })
    .command('go', { about: 'Asks' }, async (ctx) => {
      const one = await ctx.ask('Q1', { to: 'ann', timeout: 60_000 })
      const two = await ctx.ask('Q2', { to: 'ann', timeout: 60_000 })
      await ctx.reply(`${one?.text}-${two?.text}`)
    })
    .message((ctx) => ctx.reply('huh?'))
  const first = await server.bot(bot, 'asker')
  await bob.says('asker', '/go')
  await ann.hears('Q1')
  t.is(await ann.asks('asker', '1'), 'Q2')
  await first.stop(CRASH)
  await ann.says('asker', '2')
  await server.bot(bot, 'asker')
  await bob.hears('1-2')
  t.is(await ann.asks('asker', 'more?'), 'huh?')
})

test('killed while two handlers ask in each other’s chats: no deadlock after the restart', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const bot = createBot({ name: 'asker' }).command(
    'go',
    { about: 'Asks', args: { to: z.string() } },
    async (ctx, { to }) => {
      const answer = await ctx.ask(`${ctx.from} asks`, { to, timeout: 60_000 })
      await ctx.reply(`${to} says ${answer?.text}`)
    },
  )
  const first = await server.bot(bot, 'asker')
  await ann.says('asker', '/go bob')
  await bob.says('asker', '/go ann')
  await ann.hears('bob asks')
  await bob.hears('ann asks')
  await first.stop(CRASH)
  await server.bot(bot, 'asker')
  await ann.says('asker', 'yes')
  await bob.says('asker', 'no')
  await ann.hears('bob says no')
  t.is((await bob.hears('ann says yes')).from, 'asker')
})

test('a schedule killed between its questions resumes: nobody is asked twice, and there is one summary', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  for (const user of [ann, bob]) await user.joins('team')
  const state = { in: 'server', initial: () => ({ days: 0 }) } as const
  const bot = createBot({ name: 'standup', groups: ['team'], state })
    .schedule(
      '0 9 * * *',
      async (ctx) => {
        ctx.state.days++
        const done: string[] = []
        for (const to of ['ann', 'bob']) {
          const answer = await ctx.ask(`${to}, what have you done?`, { to, timeout: 3_600_000 })
          done.push(`${to}: ${answer?.text}`)
        }
        await ctx.send({ group: 'team' }, `Day ${ctx.state.days}. ${done.join(', ')}`)
      },
      { name: 'daily', timezone: 'UTC', chat: { group: 'team' } },
    )
    .command('days', { about: 'Counts' }, (ctx) => ctx.reply(String(ctx.state.days)))
    .message((ctx) => ctx.reply('There is no stand-up now.'))
  let running = await server.bot(bot, 'standup')
  await server.clock.advance(9 * 3_600_000)
  await ann.hears('ann, what have you done?')
  await running.stop(CRASH)
  await ann.says('standup', 'this')
  running = await server.bot(bot, 'standup')
  await bob.hears('bob, what have you done?')
  await running.stop(CRASH)
  running = await server.bot(bot, 'standup')
  await bob.says('standup', 'that')
  await ann.hears('Day 1. ann: this, bob: that', { group: 'team' })
  await running.stop()
  await server.bot(bot, 'standup')
  t.is(await bob.asks('standup', 'hello'), 'There is no stand-up now.')
  t.is(await ann.asks({ group: 'team' }, '/days'), '1')
  await ann.hearsNothing()
})

test('handlers that hang are logged, block only their own chats, and time out', async (t) => {
  await using server = await testServer()
  const { lines, log } = openLog('warn')
  const bot = createBot({ name: 'tool', concurrency: 2, timeLimit: 60_000 })
    .hears('hang', () => new Promise(() => {}))
    .message((ctx) => ctx.reply('here'))
  await server.bot(bot, 'tool', { log })
  const [ann, bob, cat] = [await server.user('ann'), await server.user('bob'), await server.user('cat')]
  await ann.says('tool', 'hang')
  await bob.says('tool', 'hang')
  await cat.says('tool', 'hello')
  await cat.hearsNothing()
  await server.clock.advance(30_000)
  await cat.hears('here')
  t.is(lines.filter((line) => /"handler":"hears hang".*slow handler/.test(line)).length, 2)
  await ann.says('tool', 'and me?')
  await ann.hearsNothing()
  await server.clock.advance(30_000)
  await ann.hears('here')
  t.is(lines.filter((line) => /timed out after 60 s/.test(line)).length, 2)
})

test('hanging handlers fill the window of unacknowledged events: the oldest is timed out', async (t) => {
  await using server = await testServer({ limits: { groupsPerUser: 1000 } })
  const groups = Array.from({ length: 110 }, (_, n) => `g${n}`)
  const ann = await server.user('ann')
  for (const group of groups) await ann.joins(group)
  const bot = createBot({ name: 'tool', groups, timeLimit: Number.POSITIVE_INFINITY })
    .hears('hang', () => new Promise(() => {}))
    .message((ctx) => ctx.reply('here'))
  const { lines, log } = openLog('warn')
  await server.bot(bot, 'tool', { log })
  for (const group of groups) await ann.says({ group }, 'hang')
  await ann.says('tool', 'hello')
  for (let n = 0; n < 20; n++) await server.clock.advance(30_000)
  await ann.hears('here')
  t.true(lines.some((line) => line.includes('too many events wait behind slow handlers')))
})

test('a clock that jumps, as after a suspend, is noticed within a minute', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  const bot = createBot({ name: 'clock' }).schedule('0 9 * * *', (ctx) => ctx.send('ann', ctx.time.toISOString()), {
    timezone: 'UTC',
  })
  await server.bot(bot, 'clock')
  await server.clock.advance(60_000)
  server.clock.setTime(new Date('2030-01-01T09:30:00Z'))
  await server.clock.advance(60_000)
  await ann.hears('2030-01-01T09:00:00.000Z')
  // The clock goes back: that hour comes again, but its schedule has run.
  server.clock.setTime(new Date('2030-01-01T08:59:00Z'))
  await server.clock.advance(120_000)
  await ann.hearsNothing()
  server.clock.setTime(new Date('2030-01-02T08:59:00Z'))
  await server.clock.advance(120_000)
  t.truthy(await ann.hears('2030-01-02T09:00:00.000Z'))
})

test('a bot replies in a group that was renamed in the meantime', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  await ann.joins('ops')
  const gate = new Gate()
  const bot = createBot({ name: 'tool', groups: ['ops'] }).message(async (ctx) => {
    await gate.pass()
    await ctx.reply('done')
  })
  await server.bot(bot, 'tool')
  await ann.says({ group: 'ops' }, 'work')
  await gate.reached(1)
  await ann.request(RenameRoom, { group: 'ops', name: 'operations' })
  gate.open()
  t.is((await ann.hears('done')).group, 'operations')
})

test('the stack of an error contains the bot’s line that called', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  let stack = ''
  const bot = createBot({ name: 'tool' })
    .message((ctx) => ctx.reply('x'.repeat(20_000)))
    .catch((error, ctx) => {
      stack = String((error as Error).stack)
      return ctx.send('ann', 'failed')
    })
  await server.bot(bot, 'tool')
  await ann.says('tool', 'hi')
  await ann.hears('failed')
  t.regex(stack, /bots-trouble\.test/)
})

test('usage and help describe a command’s arguments', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  const args = { part: z.enum(['one', 'two']), minutes: z.coerce.number().optional() }
  await server.bot(
    createBot({ name: 'tool' }).command('set', { about: 'Sets', args }, () => {}),
    'tool',
  )
  t.is(
    await ann.asks('tool', '/set one soon'),
    'minutes: "soon" is not a number\nusage: /set <part: one|two> [minutes]',
  )
})

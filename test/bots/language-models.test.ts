import test from 'ava'
import { asTools, createBot, NO_REPLY } from '../../bot/index.ts'
import { UserTyping } from '../../client/index.ts'
import { type TestServer, type TestUser, testServer } from '../../testing/index.ts'
import { type Pieces, pieces } from '../support/pieces.ts'

/** What bots around language models need; the models are texts that the test gives. */

/** Texts of growing messages as a user sees them; `id N` or `none` at the end. */
async function follows(user: TestUser): Promise<string[]> {
  const seen: string[] = []
  await user.client.followStreams(({ text, isOver, id }) => {
    seen.push(isOver ? (id === undefined ? 'none' : 'stored') : text)
  })
  return seen
}

/** A bot that streams what the test gives. `asked` resolves with the next source. */
function streamer(options: Partial<Parameters<typeof createBot>[0]> = {}) {
  const waiting: ((source: Pieces) => void)[] = []
  const signals: AbortSignal[] = []
  const bot = createBot({ name: 'helper', ...options }).message(async (ctx) => {
    signals.push(ctx.signal)
    const source = pieces()
    waiting.shift()?.(source)
    await ctx.stream(source)
  })
  const asked = () => new Promise<Pieces>((resolve) => waiting.push(resolve))
  return { bot, asked, signals }
}

/** The typing notices that a user gets. */
function typing(user: TestUser): boolean[] {
  const states: boolean[] = []
  user.client.on(UserTyping, ({ state }) => states.push(state))
  return states
}

test('an answer grows while it is made; until its first word the bot is writing', async (t) => {
  await using server = await testServer()
  const { bot, asked } = streamer()
  await server.bot(bot, 'helper')
  const ann = await server.user('ann')
  const [seen, states] = [await follows(ann), typing(ann)]
  const asking = asked()
  const { id } = await ann.says('helper', 'why?')
  const source = await asking
  await server.settled()
  await server.clock.advance(7000)
  t.deepEqual(states, [true, true])
  source.give('Because ')
  await server.settled()
  t.is(states.at(-1), false)
  await server.clock.advance(150)
  source.give('of it.')
  source.end()
  t.like(await ann.hears('Because of it.'), { from: 'helper', bot: true, hops: 1 })
  await server.settled()
  t.deepEqual(seen, ['', 'Because ', 'stored'])
  await server.clock.advance(20_000)
  t.is(states.at(-1), false, 'it does not begin again')
  t.true(id > 0)
})

for (const [what, texts] of [
  ['no text', []],
  ['NO_REPLY in pieces', ['NO', '_REPLY', '\n']],
] as const)
  test(`a stream of ${what} sends nothing, and is seen by nobody`, async (t) => {
    await using server = await testServer()
    const bot = createBot({ name: 'helper' }).message((ctx) => ctx.stream(texts))
    await server.bot(bot, 'helper')
    const ann = await server.user('ann')
    const seen = await follows(ann)
    await ann.says('helper', 'hm')
    await ann.hearsNothing()
    t.deepEqual(seen, [])
    t.is(NO_REPLY, 'NO_REPLY')
  })

test('a text that only begins like NO_REPLY is sent whole', async (t) => {
  await using server = await testServer()
  await server.bot(
    createBot({ name: 'helper' }).message((ctx) => ctx.stream(['NO', ', not today'])),
    'helper',
  )
  const ann = await server.user('ann')
  t.is(await ann.asks('helper', 'please'), 'NO, not today')
})

test('typing is refreshed until the handler ends', async (t) => {
  await using server = await testServer()
  let finish = () => {}
  const bot = createBot({ name: 'helper' }).message(async (ctx) => {
    await ctx.typing()
    await new Promise<void>((resolve) => {
      finish = resolve
    })
  })
  await server.bot(bot, 'helper')
  const ann = await server.user('ann')
  const states = typing(ann)
  await ann.says('helper', 'hm')
  await server.settled()
  await server.clock.advance(12_000)
  t.deepEqual(states, [true, true, true, true])
  await server.clock.advance(3000)
  finish()
  await server.settled()
  await server.clock.advance(60_000)
  t.deepEqual(states.slice(4), [false])
})

test('history has the speakers, up to the message, within a budget', async (t) => {
  await using server = await testServer()
  const histories: string[][] = []
  const bot = createBot({ name: 'helper', groups: [] }).message(async (ctx) => {
    const options = ctx.text.startsWith('short') ? { tokens: 8 } : { limit: 3 }
    const history = await ctx.history(options)
    histories.push(history.map(({ role, name, text }) => `${role} ${name}: ${text}`))
    await ctx.reply('noted')
  })
  await server.bot(bot, 'helper')
  const ann = await server.user('ann')
  for (const text of ['one', 'two', 'short memory, please']) t.is(await ann.asks('helper', text), 'noted')
  t.deepEqual(histories, [
    ['user ann: one'],
    ['user ann: one', 'assistant helper: noted', 'user ann: two'],
    ['user ann: two', 'assistant helper: noted', 'user ann: short memory, please'],
  ])
})

const begun = async (server: TestServer, asked: () => Promise<Pieces>, user: TestUser, text: string) => {
  const asking = asked()
  const { id } = await user.says('helper', text)
  const source = await asking
  source.give('half ')
  await server.settled()
  return { id, source }
}

test('the recall of a question aborts its answer; the next question is answered', async (t) => {
  await using server = await testServer()
  const { bot, asked, signals } = streamer()
  await server.bot(bot, 'helper')
  const ann = await server.user('ann')
  const seen = await follows(ann)
  const { id, source } = await begun(server, asked, ann, 'why?')
  const waiting = await ann.says('helper', 'also waits')
  await ann.client.recall(waiting.id)
  await ann.client.recall(id)
  await server.settled()
  t.true(signals[0]?.aborted)
  t.true(source.wasReturned)
  t.deepEqual(seen.at(-1), 'none')
  await ann.hearsNothing()
  const { source: second } = await begun(server, asked, ann, 'and why?')
  second.end()
  await ann.hears('half ')
  t.is(signals.length, 2, 'the recalled message that waited was not answered')
})

test('a user stops an answer with the word for it, and nobody else’s', async (t) => {
  await using server = await testServer()
  const { bot, asked, signals } = streamer({ stop: '/stop' })
  await server.bot(bot, 'helper')
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await begun(server, asked, ann, 'why?')
  const { source } = await begun(server, asked, bob, 'why not?')
  await ann.says('helper', ' /STOP')
  await server.settled()
  t.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false],
  )
  source.end()
  await bob.hears('half ')
  await ann.hearsNothing()
})

test('a stopped bot leaves the event, and the rerun gives one answer', async (t) => {
  await using server = await testServer()
  const { bot, asked } = streamer()
  const running = await server.bot(bot, 'helper')
  const ann = await server.user('ann')
  await begun(server, asked, ann, 'why?')
  await running.stop({ grace: 0 })
  const asking = asked()
  await server.bot(bot, 'helper')
  const source = await asking
  source.give('whole')
  source.end()
  t.like(await ann.hears('whole'), { hops: 1 })
  await server.clock.advance(60_000)
  await ann.hearsNothing()
})

test('messages in quick succession are answered by one run, in order with commands', async (t) => {
  await using server = await testServer()
  const runs: string[] = []
  const bot = createBot({ name: 'helper', debounce: 1500 })
    .command('ping', { about: 'Pings' }, (ctx) => {
      runs.push('ping')
      return ctx.reply('pong')
    })
    .message((ctx) => void runs.push(ctx.messages.map(({ text }) => text).join('+')))
  const running = await server.bot(bot, 'helper')
  const ann = await server.user('ann')
  for (const text of ['one', 'two', 'three']) {
    await ann.says('helper', text)
    await server.clock.advance(1000)
  }
  t.deepEqual(runs, [])
  await server.clock.advance(500)
  t.deepEqual(runs, ['one+two+three'])
  const { id } = await ann.says('helper', 'oops')
  await ann.says('helper', 'four')
  await ann.client.recall(id)
  t.is(await ann.asks('helper', '/ping'), 'pong')
  t.deepEqual(runs, ['one+two+three', 'four', 'ping'])
  await running.stop()
  await server.bot(bot, 'helper')
  await server.clock.advance(5000)
  t.is(runs.length, 3, 'all of them are acknowledged')
})

test('a user has so many answers an hour, is told once, and others have theirs', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'helper', perUser: { perHour: 2 } })
    .command('ping', { about: 'Pings' }, (ctx) => ctx.reply('pong'))
    .message((ctx) => ctx.reply('expensive'))
  await server.bot(bot, 'helper')
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  for (let n = 0; n < 2; n++) t.is(await ann.asks('helper', 'hm'), 'expensive')
  t.regex(await ann.asks('helper', 'hm'), /again in 60 minutes/)
  await ann.says('helper', 'hm')
  await ann.hearsNothing()
  t.is(await ann.asks('helper', '/ping'), 'pong')
  t.is(await bob.asks('helper', 'hm'), 'expensive')
  await server.clock.advance(3_600_000)
  t.is(await ann.asks('helper', 'hm'), 'expensive')
})

test('the chat as tools: plain schemas, this chat only, approvals by people', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'helper' }).message(async (ctx) => {
    const tools = asTools(ctx, { ask: ['boss'] })
    const use = (name: string, args: object) => tools.find((tool) => tool.name === name)?.execute(args)
    if (ctx.text === 'approve')
      return ctx.reply(JSON.stringify(await use('ask_person', { to: 'boss', question: 'ok?', options: ['yes', 'no'] })))
    if (ctx.text === 'search') return ctx.reply(JSON.stringify(await use('search_chat', { text: 'secret' })))
    await t.throwsAsync(async () => use('ask_person', { to: 'mallory', question: '?' }), { name: 'ZodError' })
    t.like(tools[0]?.parameters, { type: 'object', required: ['to', 'question'] })
    await ctx.reply(tools.map(({ name }) => name).join(' '))
  })
  await server.bot(bot, 'helper')
  const [ann, boss] = [await server.user('ann'), await server.user('boss')]
  t.is(await ann.asks('helper', 'tools'), 'ask_person read_chat search_chat react')
  await ann.says('helper', 'approve')
  await boss.hears('ok? (yes / no)')
  await boss.says('helper', 'yes')
  t.deepEqual(JSON.parse((await ann.hears(/answer/)).text), { answer: 'yes', by: 'boss', trusted: false })
  await boss.says('ann', 'the secret of the boss')
  t.deepEqual(JSON.parse(await ann.asks('helper', 'search')), [])
})

test('two bots around models in one group stop by hops', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  await ann.joins('ops')
  let answers = 0
  for (const name of ['one', 'two']) {
    const bot = createBot({ name, groups: ['ops'] }).message((ctx) => ctx.stream([`${++answers}: `, 'how interesting']))
    await server.bot(bot, name)
  }
  await ann.says({ group: 'ops' }, 'hello')
  const longest = async () => {
    const { messages } = await ann.client.groupHistory('ops', { limit: 100 })
    return { count: messages.length, hops: Math.max(...messages.map(({ hops }) => hops)) }
  }
  // Model and answer take turns of the event loop that nothing tells the end of.
  while ((await longest()).hops < 10) await server.clock.advance(1000)
  await server.clock.advance(600_000)
  // Each answers Ann, and then the other one.
  const { count, hops } = await longest()
  t.true(count > 10 && count <= 21, `${count} messages`)
  t.is(hops, 10)
})

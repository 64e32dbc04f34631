import test from 'ava'
import { z } from 'zod'
import { type ArgumentSchemas, type Bot, createBot } from '../../bot/index.ts'
import { JoinRoom, MessageEdited, OnNewMessage, ReactionChanged } from '../../client/index.ts'
import { testServer } from '../../testing/index.ts'
import { Gate } from '../support/bots/bots.ts'

function dice(): Bot {
  return createBot({ name: 'dice' })
    .command(
      'roll',
      { about: 'Rolls dice', args: { sides: z.coerce.number().int().min(2).default(6) } },
      (ctx, { sides }) => ctx.reply(`one of ${sides}`),
    )
    .hears(/thanks(?<much> a lot)?/i, (ctx) => ctx.reply(ctx.match.groups?.much ? 'any time!' : 'any time'))
    .hears('ping', (ctx) => ctx.reply('pong'))
}

test('a bot answers commands with valid arguments, patterns and other messages', async (t) => {
  await using server = await testServer()
  await server.bot(dice(), 'dice')
  const ann = await server.user('ann')
  t.is(await ann.asks('dice', '/roll'), 'one of 6')
  t.is(await ann.asks('dice', '/ROLL 20'), 'one of 20')
  t.is(await ann.asks('dice', '/roll@dice "8"'), 'one of 8')
  t.is(await ann.asks('dice', 'Thanks a lot, dice'), 'any time!')
  t.is(await ann.asks('dice', 'thanks'), 'any time')
  t.is(await ann.asks('dice', ' Ping '), 'pong')
  await ann.says('dice', 'ping')
  t.like(await ann.hears('pong'), { bot: true, hops: 1 })
})

test('invalid arguments are answered with the problem and the usage', async (t) => {
  await using server = await testServer()
  await server.bot(dice(), 'dice')
  const ann = await server.user('ann')
  const usage = '\nusage: /roll [sides]'
  t.is(await ann.asks('dice', '/roll 1'), `sides: Too small: expected number to be >=2${usage}`)
  t.is(await ann.asks('dice', '/roll six'), `sides: "six" is not a number${usage}`)
  t.is(await ann.asks('dice', '/roll 6 7'), `"7" is one word too many${usage}`)
  t.is(await ann.asks('dice', '/roll "6'), `a quotation mark is not closed${usage}`)
})

test('help is generated from the commands; an unknown command is answered in private only', async (t) => {
  await using server = await testServer()
  await server.bot(dice(), 'dice')
  const ann = await server.user('ann')
  t.is(await ann.asks('dice', '/help'), '/roll [sides]  Rolls dice\n/help [command]  Lists the commands')
  t.is(await ann.asks('dice', '/help roll'), '/roll [sides]\nRolls dice\n  sides: default 6')
  t.is(await ann.asks('dice', '/rol 6'), 'There is no /rol; did you mean /roll?')
  t.is(await ann.asks('dice', '/dance'), 'There is no /dance. /help lists the commands.')
  t.is(await ann.asks('dice', '/help dance'), 'There is no /dance. /help lists the commands.')
})

test('in a group a bot answers its own commands, and ignores those of other bots', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  await ann.joins('games')
  const bot = createBot({ name: 'dice', groups: ['games'] }).command('roll', { about: 'Rolls' }, (ctx) =>
    ctx.reply(`rolled in ${ctx.group} for ${ctx.from}`),
  )
  await server.bot(bot, 'dice')
  for (const text of ['/rol', '/roll@other', 'hello', '/help@other']) await ann.says({ group: 'games' }, text)
  t.is(await ann.asks({ group: 'games' }, '/roll@DICE'), 'rolled in games for ann')
  await ann.hearsNothing()
})

test('a missing group does not prevent the start, and is joined after a reconnect', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  await ann.joins('games')
  const bot = createBot({ name: 'dice', groups: ['nowhere', 'games'] }).message((ctx) => ctx.reply('here'))
  await (await server.bot(bot, 'dice')).stop()
  const running = await server.bot(bot, 'dice')
  t.is(await ann.asks({ group: 'games' }, 'hello'), 'here')
  await ann.joins('nowhere')
  const joined = server.next(JoinRoom)
  const back = new Promise<void>((resolve) => running.onLife('reconnected', resolve))
  server.loseConnections('dice')
  await back
  t.is((await joined).values.group, 'nowhere')
  t.is(await ann.asks({ group: 'nowhere' }, 'hello'), 'here')
})

test('an array takes the remaining words of a command', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'clerk' }).command(
    'note',
    { about: 'Notes', args: { to: z.string(), words: z.array(z.string()).min(1).describe('what to note') } },
    (ctx, { to, words }) => ctx.reply(`${to}: ${words.join('|')}`),
  )
  await server.bot(bot, 'clerk')
  const ann = await server.user('ann')
  t.is(await ann.asks('clerk', '/note bob tea "two sugars" it\'s'), "bob: tea|two sugars|it's")
  t.is(await ann.asks('clerk', '/note'), 'to is missing\nusage: /note <to> <words…>')
  t.regex(await ann.asks('clerk', '/note bob'), /^words: .*\nusage/)
  t.is(await ann.asks('clerk', '/help note'), '/note <to> <words…>\nNotes\n  words: what to note')
})

test('invalid definitions throw where they are made', (t) => {
  const bot = createBot({ name: 'dice' })
  const nothing = () => {}
  t.throws(() => bot.on(OnNewMessage, nothing), { message: /use `message` or `hears`/ })
  t.throws(() => bot.command('two words', { about: '' }, nothing), { message: /cannot name a command/ })
  bot.command('roll', { about: '' }, nothing)
  t.throws(() => bot.command('Roll', { about: '' }, nothing), { message: /already/ })
  const wrong = (args: ArgumentSchemas, message: RegExp) =>
    t.throws(() => bot.command('x', { about: '', args }, nothing), { instanceOf: TypeError, message })
  wrong({ all: z.array(z.string()), one: z.string() }, /all takes all remaining words, so it must be last/)
  wrong({ maybe: z.string().optional(), sure: z.string() }, /sure is required and comes after an optional/)
  wrong({ 1: z.string() }, /"1" cannot name an argument/)
  bot.message(nothing)
  t.throws(() => bot.message(nothing), { message: /already/ })
  t.throws(() => bot.schedule('every day', nothing), { message: /"every day" is not a valid schedule/ })
  t.throws(() => bot.schedule('* * * * *', nothing, { timezone: 'Mars/Base' }), { message: /not a valid schedule/ })
  bot.schedule('* * * * *', nothing)
  t.throws(() => bot.schedule('* * * * *', nothing), { message: /another name/ })
  t.throws(() => createBot({ name: '' }), { message: /cannot name a bot/ })
  t.throws(() => createBot({ name: 'x', concurrency: 0 }), { message: /concurrency/ })
  t.throws(() => createBot({ name: 'x', prefix: ' ' }), { message: /prefix/ })
})

test('an answer goes to its question, and to no other handler', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'waiter' })
    .command('order', { about: 'Orders' }, async (ctx) => {
      const drink = await ctx.ask('Which?', { options: ['Tea', 'Coffee'] })
      const sugar = await ctx.ask('Sugar?')
      await ctx.reply(`${drink?.choice} with ${sugar?.choice}`)
    })
    .message((ctx) => ctx.reply(`"${ctx.text}"?`))
  await server.bot(bot, 'waiter')
  const ann = await server.user('ann')
  t.is(await ann.asks('waiter', '/order'), 'Which? (Tea / Coffee)')
  t.is(await ann.asks('waiter', 'water'), 'Please answer with Tea or Coffee.')
  t.is(await ann.asks('waiter', ' COFFEE '), 'Sugar?')
  t.is(await ann.asks('waiter', 'two'), 'Coffee with two')
  t.is(await ann.asks('waiter', 'two'), '"two"?')
})

test('questions of a handler that has ended are closed: later messages are handled as usual', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'clerk' })
    .command('first', { about: 'Asks two at once' }, async (ctx) => {
      const answer = await Promise.race(['bob', 'cat'].map((to) => ctx.ask('Do you take it?', { to })))
      await ctx.reply(`${answer?.from}: ${answer?.text}`)
    })
    .message((ctx) => ctx.reply(`"${ctx.text}"?`))
  await server.bot(bot, 'clerk')
  const [ann, bob, cat] = [await server.user('ann'), await server.user('bob'), await server.user('cat')]
  await ann.says('clerk', '/first')
  await Promise.all([bob, cat].map((user) => user.hears('Do you take it?')))
  await bob.says('clerk', 'yes')
  await ann.hears('bob: yes')
  t.is(await cat.asks('clerk', 'me too'), '"me too"?')
})

test('in a group only the asked member answers; other commands wait, unhandled messages are skipped', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const group = 'tea'
  await ann.joins(group)
  await bob.joins(group)
  const bot = createBot({ name: 'waiter', groups: [group] })
    .command('order', { about: 'Orders' }, async (ctx) =>
      ctx.reply(`${ctx.from} gets ${(await ctx.ask('What?'))?.text}`),
    )
    .command('bill', { about: 'Says what it costs' }, (ctx) => ctx.reply('much'))
  await server.bot(bot, 'waiter')
  t.is(await ann.asks({ group }, '/order'), 'What?')
  await bob.says({ group }, 'I would take tea')
  await bob.says({ group }, '/bill')
  t.is(await ann.asks({ group }, 'coffee'), 'ann gets coffee')
  await ann.hears('much', { from: 'waiter' })
})

test('a question without an answer times out', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'waiter' }).command('order', { about: 'Orders' }, async (ctx) => {
    const answer = await ctx.ask('What?', { timeout: 60_000 })
    await ctx.reply(answer === undefined ? 'too late' : answer.text)
  })
  await server.bot(bot, 'waiter')
  const ann = await server.user('ann')
  t.is(await ann.asks('waiter', '/order'), 'What?')
  await server.clock.advance(59_999)
  await ann.hearsNothing()
  await server.clock.advance(1)
  await ann.hears('too late')
  t.is(await ann.asks('waiter', '/order'), 'What?')
  t.is(await ann.asks('waiter', 'tea'), 'tea')
})

test('chats are handled concurrently, the messages of each in order', async (t) => {
  await using server = await testServer()
  const gates = { ann: new Gate(), bob: new Gate() }
  const bot = createBot({ name: 'clerk', concurrency: 2 }).message(async (ctx) => {
    if (ctx.text === 'wait') await gates[ctx.from as keyof typeof gates].pass()
    await ctx.reply(ctx.text)
  })
  await server.bot(bot, 'clerk')
  const [ann, bob, cyd] = [await server.user('ann'), await server.user('bob'), await server.user('cyd')]
  for (const text of ['wait', 'one', 'two']) await ann.says('clerk', text)
  await gates.ann.reached(1)
  t.is(await bob.asks('clerk', 'hello'), 'hello')
  await ann.hearsNothing()
  await bob.says('clerk', 'wait')
  await gates.bob.reached(1)
  await cyd.says('clerk', 'third at a time')
  gates.ann.open()
  const answers = [await ann.hears(/./), await ann.hears(/./), await ann.hears(/./)]
  t.deepEqual(
    answers.map(({ text }) => text),
    ['wait', 'one', 'two'],
  )
  await cyd.hears('third at a time')
  gates.bob.open()
  await bob.hears('wait')
})

test('a bot quotes, edits its own messages and reacts, in one handler', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'clerk' }).message(async (ctx) => {
    await ctx.react('👀')
    const { id } = await ctx.reply('working', { quote: true })
    await ctx.edit({ id }, 'done')
    await ctx.react('👀', { remove: true })
    await ctx.react('✅')
  })
  await server.bot(bot, 'clerk')
  const ann = await server.user('ann')
  const asked = await ann.says('clerk', 'please')
  const reply = await ann.hears((message) => message.replyTo === asked.id)
  const changed = async () => (await ann.next(ReactionChanged)).emoji
  t.deepEqual([await changed(), await changed(), await changed()], ['👀', '👀', '✅'])
  t.like((await ann.client.inbox({ all: true })).messages, { length: 1, 0: { id: reply.id, text: 'done' } })
  t.deepEqual(await ann.client.reactions([asked.id]), [{ id: asked.id, emoji: '✅', count: 1, own: false }])
})

test('a bot is told of edits and reactions', async (t) => {
  await using server = await testServer()
  const bot = createBot({ name: 'clerk' })
    .message(() => {})
    .on(MessageEdited, ({ from, text }, ctx) => ctx.send(from, `you mean "${text}"`))
    .on(ReactionChanged, ({ user, emoji }, ctx) => ctx.send(user, `thanks for ${emoji}`))
  await server.bot(bot, 'clerk')
  const ann = await server.user('ann')
  const { id } = await ann.says('clerk', 'tow')
  await ann.client.edit(id, 'two')
  t.true((await ann.hears('you mean "two"')).bot)
  await ann.client.react(id, '🙏')
  t.true((await ann.hears('thanks for 🙏')).bot)
})

test('the test kit hears an edited message with its new text', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const { id } = await ann.says('bob', 'tow')
  await ann.client.edit(id, 'two')
  await bob.next(MessageEdited)
  t.like(await bob.hears('two'), { id, replyTo: undefined })
})

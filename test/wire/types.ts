import { z } from 'zod'
import { createBot } from '../../bot/index.ts'
import type { Client } from '../../client/index.ts'
import {
  type App,
  clientMessage,
  defineEvent,
  definePlugin,
  limit,
  line,
  oneOf,
  optional,
  pluginFailures,
  pluginLimits,
  Refused,
  serverMessage,
  uint32,
} from '../../core/index.ts'
import * as polls from '../../examples/polls/messages.ts'
import { BUILT_IN_FAILURES, SendMessage } from '../../plugins/index.ts'

/**
 * What the compiler has to say about wrong use: this file is compiled with all others, and an error that is no longer
 * one stops the build. Nothing here is ever run.
 */

const Counted = serverMessage({ type: 1001, name: 'counted', about: '', fields: { times: uint32('') } })
const Count = clientMessage({
  type: 1000,
  name: 'count',
  about: '',
  allow: 'user',
  fields: { word: line('') },
  reply: Counted,
})
const Look = clientMessage({ type: 1002, name: 'look', about: '', allow: 'any', fields: {} })
const Happened = defineEvent<{ readonly what: string; readonly times: number }>('counter.happened')
const counter = definePlugin({ name: 'counter', setup: () => ({ timesOf: (word: string) => word.length }) })

const Paint = clientMessage({
  type: 1003,
  name: 'paint',
  about: '',
  allow: 'user',
  fields: { color: oneOf('', ['red', 'green']), how: optional(oneOf('', ['', 'twice']), '') },
})
// @ts-expect-error a default that is not of the set
optional(oneOf('', ['', 'twice']), 'thrice')

export const closedSets = (app: App, client: Client) => {
  app.handle(Paint, (_session, { color }) => {
    const known: 'red' | 'green' = color
    // @ts-expect-error no value of the set
    if (known === 'blue') return
  })
  void client.request(Paint, { color: 'red' })
  // @ts-expect-error no value of the set
  void client.request(Paint, { color: 'blue' })
}

const SHOP_FAILURES = pluginFailures('shops', { no_room: 'there are enough shops' })

export const definitions = definePlugin({
  name: 'shops',
  failures: SHOP_FAILURES,
  limits: pluginLimits('shops', { open: limit(1, 'count', 'shops open at once') }),
  setup(app, { limits }) {
    const open: number = limits.open + app.limits.requestRate
    // @ts-expect-error no limit of this plugin
    void limits.friends
    // @ts-expect-error a limit of another plugin
    void app.limits.friends
    if (open > 0) throw new Refused(SHOP_FAILURES.no_room)
    if (open < 0) throw new Refused('shops.closed', 'closed')
    if (open === 0) throw new Refused('not_allowed')
    // @ts-expect-error no failure of this plugin
    throw new Refused(SHOP_FAILURES.no_rooms)
  },
})
// @ts-expect-error neither a failure of the server nor plugin.reason
new Refused('not_alowed')
// @ts-expect-error a feature's failure is thrown by its definition, not by its name
new Refused('group_exists')
new Refused(BUILT_IN_FAILURES.group_exists)

export const handlers = (app: App) => {
  // Must compile.
  app.handle(Count, (session, { word }) => {
    const name: string = session.user.name
    const text: string = word
    return { times: name.length + text.length }
  })
  app.handle(Count, async () => ({ times: 1 }))
  app.handle(Look, () => {})

  // @ts-expect-error a reply of another type
  app.handle(Count, () => ({ times: 'often' }))
  // @ts-expect-error no reply where there is one
  app.handle(Count, () => {})
  // @ts-expect-error a reply that lacks a field
  app.handle(Count, () => ({}))
  // @ts-expect-error a reply where there is none
  app.handle(Look, () => ({ times: 1 }))
  // @ts-expect-error an unknown field
  app.handle(Count, (_session, { words }) => ({ times: words }))
  // @ts-expect-error the sender may not be logged in
  app.handle(Look, (session) => void session.user.name)
  // @ts-expect-error a server message cannot be handled
  app.handle(Counted, () => {})
  // @ts-expect-error a name is no message
  app.handle('count', () => ({ times: 1 }))
}

export const rules = (app: App) => {
  app.before(SendMessage, (_session, values) => ({ ...values, text: values.text.trim() }))
  app.before(SendMessage, async (session, { to }, { signal }) => {
    const known: boolean = session.user.name === to && signal.aborted
    if (known) return
  })
  app.before(SendMessage, () => {}, { order: -1, timeout: 100, failure: 'open' })
  app.before(SendMessage, () => {}, { refusal: { code: 'counter.no', text: 'no' } })

  // @ts-expect-error an amendment that is no text
  app.before(SendMessage, (_session, values) => ({ ...values, text: 5 }))
  // @ts-expect-error an amendment that lacks fields
  app.before(SendMessage, () => ({ text: 'hi' }))
  app.before(SendMessage, (_session, values) => {
    // @ts-expect-error amended in place
    values.text = 'hi'
  })
  // @ts-expect-error a rule fails open or closed
  app.before(SendMessage, () => {}, { failure: 'ajar' })
  // @ts-expect-error a code of one's own names its plugin
  app.before(SendMessage, () => {}, { refusal: { code: 'no', text: 'no' } })
  // @ts-expect-error there is no such option
  app.before(SendMessage, () => {}, { priority: 1 })
  // @ts-expect-error a server message has no rule
  app.before(Counted, () => {})
}

export const listeners = (app: App) => {
  app.on(Count, (session, { word }, { times }) => `${session.user.name} ${word} ${times + 1}`)
  app.on(Counted, (session, { times }) => `${session.id} ${times + 1}`)
  app.on(Happened, ({ what, times }) => what.repeat(times))
  app.emit(Happened, { what: 'tea', times: 2 })

  // @ts-expect-error the reply has no such field
  app.on(Count, (_session, _values, { often }) => often)
  // @ts-expect-error a push has no reply
  app.on(Counted, (_session, _values, reply) => reply)
  // @ts-expect-error the event carries something else
  app.on(Happened, (what: string) => what)
  // @ts-expect-error the payload lacks a field
  app.emit(Happened, { what: 'tea' })
  // @ts-expect-error the payload is of another type
  app.emit(Happened, 'tea')
  // @ts-expect-error a misspelt event is none
  app.on('counter.hapened', () => {})
}

export const requests = async (client: Client, app: App) => {
  const { times }: { times: number } = await client.request(Count, { word: 'tea' })
  const nothing: undefined = await client.request(Look, {})
  const other: { times: number } = await app.onBehalfOf({} as never).request(Count, { word: 'tea' })
  client.on(Counted, (values) => values.times + times + other.times)

  // @ts-expect-error a value of another type
  await client.request(Count, { word: 5 })
  // @ts-expect-error a value is missing
  await client.request(Count, {})
  // @ts-expect-error an unknown value
  await client.request(Count, { word: 'tea', often: 1 })
  // @ts-expect-error a server message is not a request
  await client.request(Counted, { times: 1 })
  // @ts-expect-error a client message is not a push
  client.on(Count, () => nothing)
  // @ts-expect-error a value of another type, in a detached session
  await app.onBehalfOf({} as never).request(Count, { word: 5 })
}

export const plugins = [
  definePlugin({ name: 'ok', needs: { counter }, setup: (_app, { needs }) => needs.counter.timesOf('tea') + 1 }),
  // @ts-expect-error not part of the needed plugin's API
  definePlugin({ name: 'bad', needs: { counter }, setup: (_app, { needs }) => needs.counter.forget() }),
  // @ts-expect-error a plugin that is not needed
  definePlugin({ name: 'bad', needs: {}, setup: (_app, { needs }) => needs.counter }),
  // @ts-expect-error an argument of another type
  definePlugin({ name: 'bad', needs: { counter }, setup: (_app, { needs }) => needs.counter.timesOf(5) }),
]

const { ClosePoll, CreatePoll, PollCreated, Vote } = polls

export const bots = [
  // Must compile.
  createBot({ name: 'ok', messages: polls, state: { in: 'server', initial: () => ({ open: 0 }) } })
    .command(
      'poll',
      { about: '', args: { question: z.string(), days: z.coerce.number().optional() } },
      async (ctx, args) => {
        const { poll }: { poll: number } = await ctx.request(CreatePoll, { question: args.question })
        const nothing: undefined = await ctx.request(Vote, { poll, choice: 'yes' })
        const { result } = await ctx.request(ClosePoll, { poll })
        ctx.state.open += result.reduce((sum, { votes }) => sum + votes, args.days ?? 0)
        return nothing
      },
    )
    .on(PollCreated, ({ by, question }, ctx) => ctx.send(by, question))
    .hears('which?', async (ctx) => {
      const answer = await ctx.ask('Which?', { options: ['tea', 'coffee'] })
      const choice: 'tea' | 'coffee' | undefined = answer?.choice
      return choice
    }),
  createBot({ name: 'bad', messages: polls, state: { in: 'memory', initial: () => ({ open: 0 }) } })
    .message(async (ctx) => {
      // @ts-expect-error there is no such message
      await ctx.request(polls.CreatePol, { question: 'Tea?' })
      // @ts-expect-error an unknown value
      await ctx.request(CreatePoll, { question: 'Tea?', kind: 'tea' })
      // @ts-expect-error a value is missing
      await ctx.request(Vote, { poll: 1 })
      // @ts-expect-error a value of another type
      await ctx.request(ClosePoll, { poll: 'one' })
      // @ts-expect-error a server message is not a request
      await ctx.request(PollCreated, { poll: 1, by: 'ann', question: 'Tea?' })
      const closed = await ctx.request(ClosePoll, { poll: 1 })
      // @ts-expect-error the reply has no such field
      closed.winner.toString()
      // @ts-expect-error the state has no such field
      ctx.state.closed = 1
      const answer = await ctx.ask('Which?', { options: ['tea', 'coffee'] })
      // @ts-expect-error not one of the options
      return answer?.choice === 'water'
    })
    // @ts-expect-error a client message is not a push
    .on(CreatePoll, () => {})
    // @ts-expect-error a name is no push
    .on('poll_created', () => {})
    // @ts-expect-error the push has no such field
    .on(PollCreated, ({ text }) => text)
    // @ts-expect-error there is no such event in a bot's life
    .onLife('begun', () => {})
    // @ts-expect-error the command has no such argument
    .command('vote', { about: '', args: { poll: z.coerce.number() } }, (_ctx, { pol }) => pol)
    // @ts-expect-error the argument is of another type
    .command('close', { about: '', args: { poll: z.coerce.number() } }, (_ctx, { poll }) => poll.trim()),
]

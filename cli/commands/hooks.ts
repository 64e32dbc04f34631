import type { Client, ValuesOf } from '../../client/index.ts'
import { asOperator } from '../client/sessions.ts'
import { notEmpty } from '../definition/coerce.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { incoming } from './hooks-incoming.ts'

const messages = () => import('../../plugins/hooks/messages.ts')
type Messages = typeof import('../../plugins/hooks/messages.ts')
type Hook = ValuesOf<Messages['HookList']>['hooks'][number]
type FailedEvent = ValuesOf<Messages['FailedEvents']>['events'][number]

const id = { type: 'string', describe: 'id of the hook, see `chatctl hooks list`', demandOption: true } as const

/** @throws CliError `usage` */
function toId(word: string, what = 'hook'): number {
  if (/^[1-9]\d{0,15}$/.test(word)) return Number(word)
  throw new CliError('usage', `"${word}" is no id of a ${what}`, '`chatctl hooks list` and `hooks failed` print them')
}

/** `bob,@ops` as conversations. */
const toTargets = (words: string) =>
  words
    .split(',')
    .map((word) => word.trim())
    .map((word) => (word.startsWith('@') ? { user: '', group: word.slice(1) } : { user: word, group: '' }))

const add = defineCommand({
  command: 'add <url>',
  describe: 'Post each further message of a user to a URL; prints the secret that signs, once',
  examples: [
    ['$0 hooks add https://example.org/chat --user ci', 'every message to ci, and in the groups of ci'],
    ['$0 hooks add https://example.org/chat --user ci --to @ops,bob', 'of these conversations only'],
    ['$0 hooks add https://example.org/bot --user helper --reply', 'the text of each answer becomes a message'],
  ],
  builder: (args) =>
    args.positional('url', { type: 'string', describe: 'http or https', demandOption: true }).options({
      ...SERVER_FOLDER,
      user: { type: 'string', describe: 'whose messages', demandOption: true, coerce: notEmpty('user') },
      to: { type: 'string', describe: 'users and @groups, separated by commas; default all', coerce: notEmpty('to') },
      events: {
        type: 'string',
        describe: 'private, group, system, separated by commas; default all',
        coerce: notEmpty('events'),
      },
      reply: { type: 'boolean', default: false, describe: 'send the `text` of a JSON answer to the conversation' },
    }),
  async run({ url, user, to, events = '', reply }, shared) {
    const { AddHook } = await messages()
    const kinds = events.replaceAll(' ', '')
    const values = { url, user: user ?? '', kinds, reply, to: to === undefined ? [] : toTargets(to) }
    const added = await asOperator(shared, (client) => client.request(AddHook, values))
    await shared.output.item(added, SECRET_COLUMNS, { title: 'secret', value: ({ secret }) => secret })
  },
})

const SECRET_COLUMNS = [
  { title: 'hook', value: ({ hook }: { hook: number }) => hook },
  { title: 'secret', value: ({ secret }: { secret: string }) => secret },
]

async function allHooks(client: Client): Promise<Hook[]> {
  const { QueryHooks } = await messages()
  const all: Hook[] = []
  for (let after = 0; ; ) {
    const { more, hooks } = await client.request(QueryHooks, { after })
    all.push(...hooks)
    if (!more) return all
    after = hooks.at(-1)?.hook ?? Number.MAX_SAFE_INTEGER
  }
}

const list = defineCommand({
  command: 'list',
  describe: 'List the outgoing webhooks, with what waits and what was given up',
  examples: [
    ['$0 hooks list --data ./room', 'all of the server'],
    ['$0 hooks list -o json', 'for programs'],
  ],
  builder: (args) => args.options(SERVER_FOLDER),
  async run(_args, shared) {
    const hooks = await asOperator(shared, allHooks)
    await shared.output.list(
      hooks.map(({ failingSince, createdAt, ...hook }) => ({
        ...hook,
        failingSince: failingSince === 0 ? null : new Date(failingSince),
        createdAt: new Date(createdAt),
      })),
      [
        { title: 'id', value: ({ hook }) => hook },
        { title: 'user', value: ({ user }) => user },
        { title: 'url', value: ({ url }) => url },
        { title: 'to', value: ({ to }) => to || 'all' },
        { title: 'events', value: ({ kinds }) => kinds || 'all' },
        { title: 'state', value: ({ state, reason }) => (reason === '' ? state : `${state}: ${reason}`) },
        { title: 'pending', value: ({ pending }) => pending },
        { title: 'failed', value: ({ dead }) => dead },
      ],
      'no hooks',
    )
  },
})

const change = (word: 'remove' | 'enable' | 'disable', describe: string, about: string) =>
  defineCommand({
    command: `${word} <id>`,
    describe,
    examples: [[`$0 hooks ${word} 3`, about]],
    builder: (args) => args.positional('id', id).options(SERVER_FOLDER),
    async run({ id: given }, shared) {
      const hook = toId(given)
      const { ChangeHook } = await messages()
      await asOperator(shared, (client) => client.request(ChangeHook, { hook, change: word }))
      await shared.output.item({ hook, done: `${word}d` }, [{ title: `${word}d`, value: ({ hook: id }) => id }])
    },
  })

const rotate = defineCommand({
  command: 'rotate <id>',
  describe: 'Give a hook a new secret; for a day the former one signs too',
  examples: [['$0 hooks rotate 3', 'prints the new one, once']],
  builder: (args) => args.positional('id', id).options(SERVER_FOLDER),
  async run({ id: given }, shared) {
    const hook = toId(given)
    const { RotateHook } = await messages()
    const rotated = await asOperator(shared, (client) => client.request(RotateHook, { hook }))
    await shared.output.item(rotated, SECRET_COLUMNS, { title: 'secret', value: ({ secret }) => secret })
  },
})

const failed = defineCommand({
  command: 'failed <id>',
  describe: 'List the events that a hook has given up',
  examples: [['$0 hooks failed 3', 'message ids, and why']],
  builder: (args) => args.positional('id', id).options(SERVER_FOLDER),
  async run({ id: given }, shared) {
    const hook = toId(given)
    const { QueryFailedEvents } = await messages()
    const events = await asOperator(shared, async (client) => {
      const all: FailedEvent[] = []
      for (let after = 0; ; ) {
        const page = await client.request(QueryFailedEvents, { hook, after })
        all.push(...page.events)
        if (!page.more) return all
        after = page.events.at(-1)?.id ?? Number.MAX_SAFE_INTEGER
      }
    })
    await shared.output.list(
      events.map(({ failedAt, ...event }) => ({ ...event, failedAt: new Date(failedAt) })),
      [
        { title: 'id', value: ({ id: message }) => message },
        { title: 'attempts', value: ({ attempts }) => attempts },
        { title: 'last', value: ({ failedAt }) => failedAt },
        { title: 'why', value: ({ reason }) => reason },
      ],
      'nothing was given up',
    )
  },
})

const redeliver = defineCommand({
  command: 'redeliver <id> [message]',
  describe: 'Attempt events again that a hook has given up',
  examples: [
    ['$0 hooks redeliver 3', 'all of them'],
    ['$0 hooks redeliver 3 1042', 'one, by the id of its message'],
  ],
  builder: (args) =>
    args
      .positional('id', id)
      .positional('message', { type: 'string', describe: 'id of one message; default all' })
      .options(SERVER_FOLDER),
  async run({ id: given, message }, shared) {
    const hook = toId(given)
    const event = message === undefined ? 0 : toId(message, 'message')
    const { Redeliver } = await messages()
    const { events } = await asOperator(shared, (client) => client.request(Redeliver, { hook, id: event }))
    await shared.output.item({ hook, events }, [{ title: 'events', value: (done) => done.events }])
  },
})

export const hooks = defineGroup(
  'hooks',
  'Webhooks: programs that get the messages of a user by HTTP, and programs that post messages',
  [
    ['$0 hooks add https://example.org/chat --user ci', 'prints the secret that signs the requests'],
    ['$0 hooks list', 'which there are, and whether they work'],
    ['$0 hooks redeliver 3', 'what was given up'],
    ['$0 hooks incoming create grafana --user ci --group ops', 'an address at which Grafana posts alerts'],
  ],
  [
    add,
    list,
    change('remove', 'Remove a hook', 'with what it has not delivered'),
    change('disable', 'Stop a hook, which keeps its place', 'until `hooks enable 3`'),
    change('enable', 'Let a disabled hook continue where it was', 'after its receiver was mended'),
    failed,
    redeliver,
    rotate,
    incoming,
  ],
)

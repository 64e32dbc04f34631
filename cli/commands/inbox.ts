import type { ChatMessage, Client, HistoryQuery, Page, SearchOptions } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { notEmpty, wholeNumber } from '../definition/coerce.ts'
import { defineCommand } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'
import { messageColumns } from '../output/message-view.ts'

const limitOption = {
  type: 'string',
  describe: 'most messages to print',
  coerce: wholeNumber('limit', 1, 1e9),
} as const
const idOption = (name: string, about: string) =>
  ({ type: 'string', describe: about, coerce: wholeNumber(name, 1, Number.MAX_SAFE_INTEGER) }) as const

export const inbox = defineCommand({
  command: 'inbox',
  describe: 'Show unread messages, oldest first; they stay unread unless --ack is given',
  examples: [
    ['$0 inbox', 'what is unread'],
    ['$0 inbox --ack -o ndjson', 'take it and mark it as read'],
    ['$0 inbox --all --after 120', 'read ones too, from there on'],
  ],
  builder: (args) =>
    args.options({
      ...WHO,
      ack: { type: 'boolean', describe: 'mark what was printed as read' },
      all: { type: 'boolean', describe: 'read messages too' },
      after: idOption('after', 'only messages after this id'),
      limit: limitOption,
    }),
  async run({ ack = false, all = false, after = 0, limit = Number.POSITIVE_INFINITY }, shared) {
    if (ack && after > 0)
      throw new CliError('usage', '--ack marks everything up to what was printed: it does not go with --after')
    await asUser(shared, async (client) => {
      const messages = await collect(limit, (size, previous) =>
        client.inbox({ after: previous?.at(-1)?.id ?? after, all, limit: size }),
      )
      await shared.output.list(messages, messageColumns(shared.output), 'nothing is unread')
      if (!ack) return
      const lastOf = new Map(messages.map((message) => [message.group ?? ` ${message.from}`, message]))
      for (const message of lastOf.values()) await client.acknowledge(message)
    })
  },
})

export const history = defineCommand({
  command: 'history [with]',
  describe: 'Show the messages with another user or of a group, oldest first, or search all of them',
  examples: [
    ['$0 history bob', 'the newest 50'],
    ['$0 history bob --limit 500 -o ndjson', 'more of them'],
    ['$0 history --group ops', 'of a group'],
    ['$0 history bob --before 120', 'older ones'],
    ['$0 history bob --after 120', 'what was said since then'],
    ['$0 history --group ops --around 120 --limit 20', 'the context of a message'],
    ['$0 history --search invoice', 'the newest 50 with that word, of everyone and all groups'],
    ['$0 history bob --search "50 %"', 'of one conversation'],
  ],
  builder: (args) =>
    args.positional('with', { type: 'string', describe: 'name of the other user', coerce: notEmpty('with') }).options({
      ...WHO,
      group: { type: 'string', describe: 'of this group', coerce: notEmpty('group') },
      search: { type: 'string', describe: 'only messages with this text, ignoring case; then NAME may be left out' },
      limit: limitOption,
      before: idOption('before', 'only messages before this id'),
      after: idOption('after', 'only messages after this id, beginning with the oldest'),
      around: idOption('around', 'the messages on both sides of this id, at most 100'),
    }),
  async run({ with: other, group, search, limit = 50, before, after, around }, shared) {
    if (other !== undefined && group !== undefined) throw new CliError('usage', 'name a user or a group, not both')
    if (other === undefined && group === undefined && search === undefined)
      throw new CliError(
        'usage',
        'no conversation is named',
        '`chatctl history NAME`, or `chatctl history --group GROUP`',
      )
    if (search === '') throw new CliError('usage', '--search: the text is empty')
    checkPlace({ before, after, around, search })
    await asUser(shared, async (client) => {
      if (search !== undefined) {
        const where = { ...(other !== undefined && { with: other }), ...(group !== undefined && { group }) }
        const found = await searchAll(client, search, where, limit, before ?? 0)
        return shared.output.list(found, messageColumns(shared.output), 'nothing found')
      }
      const page = (query: HistoryQuery) =>
        group === undefined ? client.history(other ?? '', query) : client.groupHistory(group, query)
      const found = await readHistory(page, { before, after, around, limit })
      await shared.output.list(found, messageColumns(shared.output), 'no messages yet')
    })
  },
})

function checkPlace({ search, ...places }: Readonly<Record<'before' | 'after' | 'around' | 'search', unknown>>) {
  const [first, second] = Object.entries(places).flatMap(([name, id]) => (id === undefined ? [] : [name]))
  if (second !== undefined) throw new CliError('usage', `--${first} does not go with --${second}`)
  if (search !== undefined && first !== undefined && first !== 'before')
    throw new CliError('usage', `--${first} does not go with --search`)
}

interface Place {
  readonly before: number | undefined
  readonly after: number | undefined
  readonly around: number | undefined
  readonly limit: number
}

/** Messages of a conversation, oldest first: as many pages as the limit needs, but for `around` one. */
async function readHistory(
  page: (query: HistoryQuery) => Promise<Page>,
  { before = 0, after, around, limit }: Place,
): Promise<ChatMessage[]> {
  if (around !== undefined) return (await page({ around, limit: Math.min(limit, 100) })).messages
  if (after !== undefined)
    return collect(limit, (size, previous) => page({ after: previous?.at(-1)?.id ?? after, limit: size }))
  const newestFirst = await collect(limit, async (size, previous) => {
    const { more, messages } = await page({ before: previous?.at(-1)?.id ?? before, limit: size })
    return { more, messages: messages.reverse() }
  })
  return newestFirst.reverse()
}

/** Search results of all pages, oldest first; a page may have no match. */
async function searchAll(client: Client, text: string, where: SearchOptions, limit: number, from: number) {
  const newestFirst: ChatMessage[] = []
  for (let more = true, before = from; more && newestFirst.length < limit; ) {
    const page = await client.search(text, { ...where, before, limit: Math.min(100, limit - newestFirst.length) })
    newestFirst.push(...page.messages.reverse())
    more = page.more
    before = page.searchedTo
  }
  return newestFirst.reverse()
}

/** Reads pages until the limit or the end. `previous` is the page before. */
async function collect(
  limit: number,
  page: (size: number, previous: readonly ChatMessage[] | undefined) => Promise<Page>,
): Promise<ChatMessage[]> {
  const found: ChatMessage[] = []
  for (let more = true; more && found.length < limit; ) {
    const next = await page(Math.min(100, limit - found.length), found.length > 0 ? found : undefined)
    found.push(...next.messages)
    more = next.more && next.messages.length > 0
  }
  return found
}

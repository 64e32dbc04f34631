import type { ChatMessage, Client, HistoryQuery, Page } from '../client/index.ts'

/** A message for a language model. */
export interface HistoryEntry {
  /** `assistant` for the bot's own messages. */
  readonly role: 'user' | 'assistant'
  /** Who said it. */
  readonly name: string
  readonly text: string
  readonly at: Date
  readonly id: number
}

export interface HistoryOptions {
  /** Messages at most; default 40. */
  readonly limit?: number
  /** Budget of all texts together; the newest message is always there. Default none. */
  readonly tokens?: number
  /** Counts the tokens of a text; default: a quarter of its characters. */
  readonly count?: (text: string) => number
}

const DEFAULT_LIMIT = 40
const PAGE = 50
const CHARS_PER_TOKEN = 4

export const estimateTokens = (text: string): number => Math.ceil(text.length / CHARS_PER_TOKEN)

/** The messages of a chat up to one of them, oldest first, within a budget: whole messages, the newest ones. */
export async function chatHistory(
  client: Client,
  self: string,
  { from, group, id }: Pick<ChatMessage, 'from' | 'group' | 'id'>,
  { limit = DEFAULT_LIMIT, tokens = Number.POSITIVE_INFINITY, count = estimateTokens }: HistoryOptions,
): Promise<HistoryEntry[]> {
  const page = (query: HistoryQuery): Promise<Page> =>
    group === undefined ? client.history(from, query) : client.groupHistory(group, query)
  const entries: HistoryEntry[] = []
  let left = tokens
  for (let before = id + 1, more = true; more && entries.length < limit; ) {
    const found = await page({ before, limit: Math.min(PAGE, limit - entries.length) })
    for (const message of found.messages.toReversed()) {
      left -= count(message.text)
      if (left < 0 && entries.length > 0) return entries.reverse()
      entries.push(entryOf(message, self))
    }
    more = found.more
    before = found.messages[0]?.id ?? 0
    if (before === 0) break
  }
  return entries.reverse()
}

const entryOf = ({ from, text, sentAt: at, id }: ChatMessage, self: string): HistoryEntry => ({
  role: from === self ? 'assistant' : 'user',
  name: from,
  text,
  at,
  id,
})

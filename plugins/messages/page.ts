import { Refused } from '../../core/index.ts'
import type { HistoryPart } from '../../db/index.ts'
import type { Deliverable, WireMessage } from './deliverable.ts'

/** Bytes of text in one page: leaves room in a packet of 256 KiB for the other fields and one more long text. */
export const PAGE_BYTES = 48 * 1024

/** Rows per page at most. */
export const MAX_PAGE = 100

export const pageSize = (asked: number, standard: number) => Math.min(asked || standard, MAX_PAGE)

/** How many messages fit into one packet: at least one, because a single one always fits. */
export function fitting(messages: readonly Pick<WireMessage, 'text'>[], maxBytes = PAGE_BYTES): number {
  let bytes = 0
  const tooMany = messages.findIndex(({ text }) => {
    bytes += Buffer.byteLength(text)
    return bytes > maxBytes
  })
  return tooMany === -1 ? messages.length : Math.max(1, tooMany)
}

/** Reads a part of one conversation, as far as a user may read it, oldest first. */
export type HistorySource = (part: HistoryPart) => Promise<Deliverable[]>

/** Ids of messages; 0 for none. Without any the page has the newest messages. */
interface Where {
  readonly before: number
  readonly after: number
  readonly around: number
}

interface HistoryPage {
  /** True if there are further messages: newer ones for `after`, otherwise older ones. */
  readonly more: boolean
  readonly messages: WireMessage[]
}

/** A page of a conversation, oldest first. @throws Refused `invalid_value` */
export async function historyPage(read: HistorySource, where: Where, size: number): Promise<HistoryPage> {
  const { before, after, around } = where
  if ([before, after, around].filter((id) => id > 0).length > 1)
    throw new Refused('invalid_value', 'set one of `before`, `after` and `around`')
  if (after > 0) return newerPage(await read({ after, limit: size + 1 }), size)
  if (around === 0) return olderPage(await read({ before: before || Number.MAX_SAFE_INTEGER, limit: size + 1 }), size)
  const newerSize = Math.floor(size / 2)
  const olderSize = size - newerSize
  const older = olderPage(await read({ before: around + 1, limit: olderSize + 1 }), olderSize, PAGE_BYTES / 2)
  if (newerSize === 0) return older
  const newer = newerPage(await read({ after: around, limit: newerSize }), newerSize, PAGE_BYTES / 2)
  return { more: older.more, messages: [...older.messages, ...newer.messages] }
}

/** The newest messages that fit. @param found oldest first, one more than `size` if there are more */
function olderPage(found: readonly Deliverable[], size: number, maxBytes?: number): HistoryPage {
  const newestFirst = found
    .slice(-size)
    .map(({ message }) => message)
    .reverse()
  const messages = newestFirst.slice(0, fitting(newestFirst, maxBytes)).reverse()
  return { more: found.length > messages.length, messages }
}

/** The oldest messages that fit. @param found oldest first, one more than `size` if there are more */
function newerPage(found: readonly Deliverable[], size: number, maxBytes?: number): HistoryPage {
  const wanted = found.slice(0, size).map(({ message }) => message)
  const messages = wanted.slice(0, fitting(wanted, maxBytes))
  return { more: found.length > messages.length, messages }
}

import type { Deliverable, WireMessage } from './deliverable.ts'

/** Bytes of text in one page: leaves room in a packet of 256 KiB for the other fields and one more long text. */
export const PAGE_BYTES = 48 * 1024

/** Rows per page at most. */
export const MAX_PAGE = 100

export const pageSize = (asked: number, standard: number) => Math.min(asked || standard, MAX_PAGE)

/** How many messages fit into one packet: at least one, because a single one always fits. */
export function fitting(messages: readonly WireMessage[]): number {
  let bytes = 0
  const tooMany = messages.findIndex(({ text }) => {
    bytes += Buffer.byteLength(text)
    return bytes > PAGE_BYTES
  })
  return tooMany === -1 ? messages.length : Math.max(1, tooMany)
}

/**
 * The newest messages that fit into a packet, oldest first.
 * @param found oldest first, one more than `size` if there is more
 */
export function historyPage(found: readonly Deliverable[], size: number): { more: boolean; messages: WireMessage[] } {
  const newestFirst = found
    .slice(-size)
    .map(({ message }) => message)
    .reverse()
  const messages = newestFirst.slice(0, fitting(newestFirst)).reverse()
  return { more: found.length > messages.length, messages }
}

import type { Knex } from 'knex'
import { type MessageRow, messagesByIds, TurnBudget } from '../../db/index.ts'
import type { Deliverable, WireMessage } from './deliverable.ts'
import { PAGE_BYTES } from './page.ts'

/** Rows in one read of the database. */
const ROWS_PER_READ = 200
/** Ids of a trail in one read at most. */
const MAX_IDS_PER_READ = 3200

/** Bytes of text whose search costs as much as one request: some milliseconds of this process. */
const BYTES_PER_TOKEN = 256 * 1024
/** Messages whose search costs as much as one request, however short they are. */
const ROWS_PER_TOKEN = 500

/** All searches share a part of each turn of the event loop. */
const turns = new TurnBudget()

/** An ordered set of messages that the searching user may read. */
export interface Trail {
  /** The ids below `before`, newest first, at most `limit`. */
  ids(before: number, limit: number): Promise<number[]>
  /** The text form of rows of this trail. */
  toText(rows: readonly MessageRow[]): Promise<Deliverable[]>
}

export interface Search {
  readonly text: string
  /** Only messages with a lower id. */
  readonly before: number
  /** Matches at most. */
  readonly limit: number
  /** Messages searched at most. */
  readonly bound: number
  /** Charges the cost of a batch, in tokens of the request rate. */
  charge(tokens: number): void
}

export interface Found {
  /** True if older messages were not searched. */
  readonly more: boolean
  /** All messages from this id on were searched; 0 if there were none. */
  readonly searchedTo: number
  /** Oldest first. */
  readonly messages: WireMessage[]
}

/** Combining marks in a row beyond the 30 that any language needs (Unicode Standard Annex 15, Stream-Safe Text). */
const LONG_RUN = /(\p{M}{30})(?=\p{M})/gu
/** COMBINING GRAPHEME JOINER: invisible, and marks are not sorted across it. */
const JOINER = '\u034f'

/**
 * Folds case and normalises accents for comparison. Not done by the databases, which differ in case beyond ASCII and in
 * wildcards. Normalisation sorts the marks of each character in quadratic time: long runs are cut first.
 */
const folded = (text: string) =>
  // A final sigma has a lower case of its own, but the end of the searched text need not be the end of a word.
  text.toLowerCase().replaceAll('ς', 'σ').replace(LONG_RUN, `$1${JOINER}`).normalize('NFC')

/** Searches trails, newest first, up to `limit` matches, `bound` messages or a full packet. */
export async function search(
  db: Knex,
  trails: readonly Trail[],
  { text, before, limit, bound, charge }: Search,
): Promise<Found> {
  const wanted = folded(text)
  const steps = merged(trails, before)
  const found: Match[] = []
  let next = await steps.next()
  let searchedTo = 0
  let bytes = 0
  for (let searched = 0; !next.done && searched < bound; ) {
    const batch: Step[] = []
    for (; !next.done && batch.length < Math.min(ROWS_PER_READ, bound - searched); next = await steps.next())
      batch.push(next.value)
    searched += batch.length
    const rows = new Map(
      (
        await messagesByIds(
          db,
          batch.map(({ id }) => id),
        )
      ).map((row) => [row.id, row]),
    )
    const size = [...rows.values()].reduce((sum, { msg }) => sum + msg.length, 0)
    charge(batch.length / ROWS_PER_TOKEN + size / BYTES_PER_TOKEN)
    for (const [index, { id, trail }] of batch.entries()) {
      await turns.yieldIfSpent()
      const row = rows.get(id)
      if (row !== undefined && folded(row.msg).includes(wanted)) {
        bytes += Buffer.byteLength(row.msg)
        if (found.length > 0 && bytes > PAGE_BYTES) return { more: true, searchedTo, messages: await toMessages(found) }
        found.push({ row, trail })
      }
      searchedTo = id
      if (found.length === limit) {
        const more = index + 1 < batch.length || !next.done
        return { more, searchedTo, messages: await toMessages(found) }
      }
    }
  }
  return { more: !next.done, searchedTo, messages: await toMessages(found) }
}

interface Step {
  readonly id: number
  readonly trail: Trail
}

interface Match {
  readonly row: MessageRow
  readonly trail: Trail
}

/**
 * Merges the ids of all trails, newest first, without duplicates: a note to oneself is both sent and received. Only ids are
 * kept, so that the memory is small for a member of many groups. Each read of a trail is larger than the one before: it
 * costs a look-up for each conversation in it.
 */
async function* merged(trails: readonly Trail[], before: number): AsyncGenerator<Step, void, void> {
  const heads: { trail: Trail; ids: number[]; read: number }[] = []
  for (const trail of trails) heads.push({ trail, ids: await trail.ids(before, ROWS_PER_READ), read: ROWS_PER_READ })
  for (let last = before; ; ) {
    const head = heads.reduce<(typeof heads)[number] | undefined>(
      (newest, one) => ((one.ids[0] ?? 0) > (newest?.ids[0] ?? 0) ? one : newest),
      undefined,
    )
    const id = head?.ids.shift()
    if (head === undefined || id === undefined) return
    if (head.ids.length === 0) {
      head.read = Math.min(head.read * 2, MAX_IDS_PER_READ)
      head.ids = await head.trail.ids(id, head.read)
    }
    if (id < last) yield { id, trail: head.trail }
    last = id
  }
}

/** Oldest first. */
async function toMessages(found: readonly Match[]): Promise<WireMessage[]> {
  const named: Deliverable[] = []
  for (const trail of new Set(found.map((match) => match.trail)))
    named.push(...(await trail.toText(found.filter((match) => match.trail === trail).map(({ row }) => row))))
  return named.map(({ message }) => message).sort((a, b) => a.id - b.id)
}

import type { Knex } from 'knex'
import { type MessageRow, messagesByIds, TurnBudget } from '../../db/index.ts'
import type { Deliverable, WireMessage } from './deliverable.ts'
import { PAGE_BYTES } from './page.ts'

/** Rows read from the database at once. */
const BATCH = 200

/** Bytes of text that cost as much as one request: some milliseconds of this process. */
const BYTES_A_TOKEN = 256 * 1024
/** The same of messages, however short. */
const ROWS_A_TOKEN = 500

/** Searches of all users share a part of each turn of the event loop. */
const turns = new TurnBudget()

/** A run of messages that the one who searches may read. */
export interface Trail {
  /** Their ids below `before`, newest first, at most `limit`. */
  ids(before: number, limit: number): Promise<number[]>
  /** Rows of it as they travel. */
  named(rows: readonly MessageRow[]): Promise<Deliverable[]>
}

export interface Search {
  readonly text: string
  /** Only messages with a lower id. */
  readonly before: number
  /** Matches at most. */
  readonly limit: number
  /** Messages looked at, at most. */
  readonly bound: number
  /** Told what was looked at, in requests that would have cost as much. */
  charge(tokens: number): void
}

export interface Found {
  /** True if there are older messages that were not looked at. */
  readonly more: boolean
  /** Where to go on: everything from this id on was looked at; 0 when there was nothing to look at. */
  readonly searchedTo: number
  /** Oldest first. */
  readonly messages: WireMessage[]
}

/** Combining marks in a row beyond the 30 that any language needs (Unicode Standard Annex 15, Stream-Safe Text). */
const LONG_RUN = /(\p{M}{30})(?=\p{M})/gu
/** COMBINING GRAPHEME JOINER: invisible, and marks are not sorted across it. */
const JOINER = '\u034f'

/**
 * Text as it is compared, without regard to case and to how accents are encoded. Done here and not by the database:
 * each has another idea of case beyond ASCII, and of what `%` and `_` stand for. Normalisation sorts the marks of each
 * character, which takes the square of their number: long runs are cut first.
 */
const folded = (text: string) =>
  // A sigma at the end of a word has a lower case of its own, and what is looked for ends elsewhere than the word does.
  text.toLowerCase().replaceAll('ς', 'σ').replace(LONG_RUN, `$1${JOINER}`).normalize('NFC')

/** Looks through trails, newest first, until enough is found, enough was looked at, or a packet is full. */
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
  for (let looked = 0; !next.done && looked < bound; ) {
    const batch: Step[] = []
    for (; !next.done && batch.length < Math.min(BATCH, bound - looked); next = await steps.next())
      batch.push(next.value)
    looked += batch.length
    const rows = new Map(
      (
        await messagesByIds(
          db,
          batch.map(({ id }) => id),
        )
      ).map((row) => [row.id, row]),
    )
    const size = [...rows.values()].reduce((sum, { msg }) => sum + msg.length, 0)
    charge(batch.length / ROWS_A_TOKEN + size / BYTES_A_TOKEN)
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
 * The ids of all trails in one order, newest first, each once: a note to oneself is both sent and received. Only ids are
 * kept, so however many groups somebody is in, it takes little memory.
 */
async function* merged(trails: readonly Trail[], before: number): AsyncGenerator<Step, void, void> {
  const heads: { trail: Trail; ids: number[] }[] = []
  for (const trail of trails) heads.push({ trail, ids: await trail.ids(before, BATCH) })
  for (let last = before; ; ) {
    const head = heads.reduce<(typeof heads)[number] | undefined>(
      (newest, one) => ((one.ids[0] ?? 0) > (newest?.ids[0] ?? 0) ? one : newest),
      undefined,
    )
    const id = head?.ids.shift()
    if (head === undefined || id === undefined) return
    if (head.ids.length === 0) head.ids = await head.trail.ids(id, BATCH)
    if (id < last) yield { id, trail: head.trail }
    last = id
  }
}

/** Oldest first. */
async function toMessages(found: readonly Match[]): Promise<WireMessage[]> {
  const named: Deliverable[] = []
  for (const trail of new Set(found.map((match) => match.trail)))
    named.push(...(await trail.named(found.filter((match) => match.trail === trail).map(({ row }) => row))))
  return named.map(({ message }) => message).sort((a, b) => a.id - b.id)
}

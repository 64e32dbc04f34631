import type { MessageRow, NewMessageRow } from './message-columns.ts'

/** A stored message. */
export interface Stored {
  readonly id: number
  /** For a repeat the row that was stored under this client id. */
  readonly row: NewMessageRow
  /** True if the sender had used this client id before. */
  readonly repeat: boolean
}

/** A user has read what another one wrote, or what was said in a group, up to a message. */
export interface Read {
  readonly readerId: number
  /** A user, or with `isGroup` a group. */
  readonly fromId: number
  readonly isGroup: boolean
  readonly upTo: number
}

/**
 * Whether it was stored is not known: the database failed after it was asked to commit. A store throws it for a row; the
 * writer looks the row up as soon as the database answers.
 */
export class InDoubt extends Error {
  constructor(cause: unknown) {
    super('the database failed while it stored this', { cause })
    this.name = 'InDoubt'
  }
}

/** Result of one item of a batch; items fail independently. */
export type Outcome<T> = { readonly done: T } | { readonly error: unknown }

export type Outcomes = Map<NewMessageRow, Outcome<Stored>>

/** Adds the outcomes of rows that were looked up after an attempt; one that was not found gets none. */
export function addFound(
  outcomes: Outcomes,
  rows: readonly NewMessageRow[],
  found: readonly (MessageRow | undefined)[],
  newest: number,
) {
  const told = new Set([...outcomes.values()].map((outcome) => ('done' in outcome ? outcome.done.id : 0)))
  for (const [index, row] of found.entries()) {
    if (row === undefined) continue
    // Of two under the same client id the first one has stored it.
    outcomes.set(rows[index] as NewMessageRow, {
      done: { id: row.id, row, repeat: row.id <= newest || told.has(row.id) },
    })
    told.add(row.id)
  }
}

export interface Committed {
  readonly messages: readonly Outcome<Stored>[]
  /** True where something was read that was not yet. */
  readonly reads: readonly Outcome<boolean>[]
}

/** How messages get into one kind of database. */
export interface MessageStore {
  /** Messages in one transaction at most. */
  readonly batch: number
  /** Messages that a transaction is worth making for before the turn that brings them is over. */
  readonly worthwhile: number
  /**
   * Stores messages, in their order, and read positions; resolves after COMMIT. Client ids that their sender has used are
   * repeats. A message that is stored is never reported as an error, whatever fails after its commit.
   * @param newest the highest id of a message whose sender and recipients know of it: what is stored above it, is new
   * @throws what the database throws when certainly nothing was stored
   */
  commit(messages: readonly NewMessageRow[], reads: readonly Read[], newest: number): Promise<Committed>
  /**
   * Looks up which of these are stored, by sender and client id, once no attempt that was given up can store any more of
   * them. In their order, undefined where it is not stored.
   * @throws what the database throws
   */
  find(messages: readonly NewMessageRow[]): Promise<(MessageRow | undefined)[]>
  /**
   * Backfills `isRead` of some messages from the read positions, for tools that query the table: the server itself goes
   * by the positions. Resolves with false when there was nothing left to do.
   */
  mark(): Promise<boolean>
}

import type { MessageColumns, NewMessageRow, StoredRow } from './message-columns.ts'

/** A stored message. */
export interface Stored {
  readonly id: number
  /** For a repeat the row that was stored under this client id. */
  readonly row: MessageColumns
  /** True if the sender had used this client id before. */
  readonly repeat: boolean
}

/** A read position: a user has read the messages of another user, or of a group, up to one. */
export interface Read {
  readonly readerId: number
  /** A user, or with `isGroup` a group. */
  readonly fromId: number
  readonly isGroup: boolean
  readonly upTo: number
}

/**
 * It is unknown whether a row was stored: the database failed during the commit. The writer looks the row up as soon as
 * the database answers.
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

/** Adds the outcomes of rows that were looked up after a failed attempt. A row that was not found gets none. */
export function addFound(
  outcomes: Outcomes,
  rows: readonly NewMessageRow[],
  found: readonly (StoredRow | undefined)[],
  horizon: number,
) {
  const returned = new Set([...outcomes.values()].map((outcome) => ('done' in outcome ? outcome.done.id : 0)))
  for (const [index, row] of found.entries()) {
    if (row === undefined) continue
    // Of two rows with the same client id the first was stored, the second is a repeat.
    outcomes.set(rows[index] as NewMessageRow, {
      done: { id: row.id, row, repeat: row.id <= horizon || returned.has(row.id) },
    })
    returned.add(row.id)
  }
}

export interface Committed {
  readonly messages: readonly Outcome<Stored>[]
  /** True if the read position moved. A promise never rejects: messages may be reported before read positions are stored. */
  readonly reads: readonly Outcome<boolean>[] | Promise<readonly Outcome<boolean>[]>
}

/** Storage of messages in one kind of database. */
export interface MessageStore {
  /** Messages in one transaction at most. */
  readonly batch: number
  /** Queued messages that are committed at once, instead of at the end of the event-loop turn. */
  readonly commitThreshold: number
  /** Pause between a commit and one of read positions alone, in multiples of the time that the commit took. */
  readonly readPause: number
  /**
   * Stores messages, in their order, and read positions; resolves after COMMIT of the messages [D-1]. A client id that its sender has used
   * is a repeat [D-2]. A stored message is never reported as an error, whatever fails after its commit.
   * @param horizon see MessageWriter: a row found above it was stored by this commit
   * @throws the error of the database if certainly nothing was stored
   */
  commit(messages: readonly NewMessageRow[], reads: readonly Read[], horizon: number): Promise<Committed>
  /**
   * Looks up stored rows by sender and client id, after all abandoned attempts have ended. In the order of `messages`;
   * undefined for a row that is not stored.
   * @throws the error of the database
   */
  find(messages: readonly NewMessageRow[]): Promise<(StoredRow | undefined)[]>
  /**
   * Backfills `isRead` of some messages from the read positions, for tools that query the table: the server itself uses
   * the positions. Resolves with false if there was nothing to do.
   */
  mark(): Promise<boolean>
}

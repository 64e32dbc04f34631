import type { MessageRow, NewMessageRow } from './messages.ts'

/** A stored message: `repeat` when the sender had stored it before, with what it stored then. */
export interface Stored {
  readonly row: MessageRow
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

/** What became of one thing among others; the others are not touched by its failure. */
export type Outcome<T> = { readonly done: T } | { readonly error: unknown }

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
   * Stores messages, in their order, and read positions, in one transaction; resolves after COMMIT. Client ids that
   * their sender has used are repeats.
   * @throws what the database throws when nothing at all could be stored
   */
  commit(messages: readonly NewMessageRow[], reads: readonly Read[]): Promise<Committed>
  /**
   * Brings `isRead` of some messages into line with what their reader has read, for who looks into the table: what the
   * server itself goes by are the positions. Resolves with false when there was nothing left to do.
   */
  mark(): Promise<boolean>
}

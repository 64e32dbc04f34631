import type { User, UserSession } from '../../core/index.ts'
import type { MessageRow, NewMessageRow, Part, Unread } from '../../db/index.ts'
import type { Audience } from './audience.ts'
import type { Deliverable } from './deliverable.ts'
import type { Trail } from './search.ts'

/** The messages of a user to read from the database. */
export interface Query {
  /** Only ids above this one. */
  readonly after: number
  readonly limit: number
  /** Without acknowledged messages. */
  readonly unreadOnly: boolean
  /** Without group messages of the user. */
  readonly withoutOwn?: boolean
  /** With private messages that the user has sent. */
  readonly withSent?: boolean
  /** Only this kind of message. */
  readonly kind?: number
  /** Only these ids, if the user may read them; `after` and `limit` have no effect then. */
  readonly only?: readonly number[]
}

/** The conversation of a stored message, and its readers. */
export interface Place {
  /** See Deliverable. */
  readonly conversation: string
  /** Name of the sender. */
  readonly from: string
  /** Name of the recipient; empty in a group. */
  readonly to: string
  /** Name of the group; empty in a private message. */
  readonly group: string
  /** Users who can read it now, and its sender. */
  readonly readers: Iterable<number>
}

/** How far a conversation was read. */
export interface Position {
  /** Name of the other user; empty for a group. */
  readonly with: string
  /** Name of the group; empty for a user. */
  readonly group: string
  /** Id of the last message that this user has acknowledged; 0 for none. */
  readonly own: number
  /** The same of the other user, if this user may know it. */
  readonly other: number
}

/** Positions of one source, and where the next read begins. */
export interface Positions {
  readonly found: Position[]
  /** Undefined if there are no more. */
  readonly next?: number | undefined
}

/** Where to search: the private messages with one user, one group, or, with both empty, everything. */
export interface Where {
  readonly with: string
  readonly group: string
}

/** One sort of conversation, and how its messages are read from the database. */
export interface Source {
  /** Kinds of its messages, see MSG_TYPE. */
  readonly kinds: readonly number[]
  /** Oldest first. */
  load(userId: number, query: Query): Promise<Part<Deliverable>>
  unread(userId: number): Promise<Unread>
  /**
   * Read positions of a user in conversations of this sort.
   * @param after where an earlier read has ended; 0 for the first
   */
  positions(userId: number, after: number): Promise<Positions>
  /** The place of a message of its kinds. */
  place(row: MessageRow): Promise<Place>
  /** Whether a user may read a message of its kinds. */
  mayRead(userId: number, row: MessageRow): boolean | Promise<boolean>
  /** Checks that a user may write where a message of its kinds is. @throws Refused */
  checkWriter(session: UserSession, row: MessageRow): void | Promise<void>
  /**
   * Checks a new message of its kinds again, after a change, and returns its audience as it is now.
   * @throws Refused as a request to send it
   */
  checkAgain(row: NewMessageRow, audience: Audience): Promise<Audience>
  /**
   * The messages that a search of a user goes through; none if the place is not of this sort.
   * @throws Refused if there is no such user or group, or the user may not read it
   */
  trails(user: User, where: Where): Promise<Trail[]>
}

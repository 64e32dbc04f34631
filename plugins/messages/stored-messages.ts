import type { Knex } from 'knex'
import { type App, KeyedQueue, Refused, type UserSession } from '../../core/index.ts'
import { findMessage, type MessageRow, MSG_TYPE, messagesByIds } from '../../db/index.ts'
import type { Revision } from './deliverable.ts'
import type { Deliveries } from './deliveries.ts'
import { emitChange } from './events.ts'
import { FAILURES } from './failures.ts'
import type { Place, Source } from './source.ts'
import type { Sources } from './sources.ts'

/** Kinds that users write; the others are the server's own messages. */
const WRITTEN_BY_USERS: readonly number[] = [MSG_TYPE.chat, MSG_TYPE.group]

export interface StoredMessagesParts {
  readonly app: App
  readonly db: Knex
  readonly sources: Sources
  readonly deliveries: Deliveries
  /** The highest id of a message that was fanned out. */
  readonly horizon: () => number
  /** Resolves when the messages that are stored by now were fanned out. */
  readonly settled: () => Promise<void>
}

/**
 * Stored messages by id, for requests that name one: the API for other plugins. A message that the user may not read is
 * refused like one that does not exist.
 */
export class StoredMessages {
  readonly #parts: StoredMessagesParts
  readonly #changes = new KeyedQueue<number>()

  constructor(parts: StoredMessagesParts) {
    this.#parts = parts
  }

  /** Runs changes of one message one at a time, so that they are announced in the order of their commits. */
  change<T>(id: number, work: () => Promise<T>): Promise<T> {
    return this.#changes.run(id, work)
  }

  /** A message that the user may read and that a user has written. @throws Refused `no_message` */
  async readable({ user }: UserSession, id: number): Promise<MessageRow> {
    const row = await this.#find(id)
    if (row !== undefined && WRITTEN_BY_USERS.includes(row.msg_type) && (await this.mayRead(user.id, row))) return row
    throw new Refused(FAILURES.no_message)
  }

  /** The messages among `ids` that the user may read and that users have written. */
  async readableRows({ user }: UserSession, ids: readonly number[]): Promise<MessageRow[]> {
    const readable: MessageRow[] = []
    for (const row of ids.length === 0 ? [] : await messagesByIds(this.#parts.db, ids))
      if (WRITTEN_BY_USERS.includes(row.msg_type) && (await this.mayRead(user.id, row))) readable.push(row)
    return readable
  }

  /** A message that the user has written. @throws Refused `no_message` */
  async own({ user }: UserSession, id: number): Promise<MessageRow> {
    const row = await this.#find(id)
    if (row !== undefined && row.user_id === user.id && WRITTEN_BY_USERS.includes(row.msg_type)) return row
    throw new Refused(FAILURES.no_message)
  }

  /** The conversation of a message, and its readers. @throws Refused `no_message` */
  place(row: MessageRow): Promise<Place> {
    return this.#sourceOf(row).place(row)
  }

  async mayRead(userId: number, row: MessageRow): Promise<boolean> {
    return this.#sourceOf(row).mayRead(userId, row)
  }

  /** Checks that a user may still write where a message is. @throws Refused `not_member`, `blocked`, `not_friends` … */
  async checkWriter(session: UserSession, row: MessageRow) {
    await this.#sourceOf(row).checkWriter(session, row)
  }

  /** A message has a new text: deliveries push only this one from now on [D-13]. */
  edited(row: MessageRow, { readers }: Place, revision: Revision) {
    const userIds = [...readers]
    for (const userId of userIds) this.#parts.deliveries.edited(userId, revision)
    emitChange(this.#parts.app, row, userIds)
  }

  async #find(id: number): Promise<MessageRow | undefined> {
    const { db, horizon, settled } = this.#parts
    // The database may show it before it is fanned out, as it was sent [D-6].
    if (id > horizon()) await settled()
    return findMessage(db, id)
  }

  #sourceOf({ msg_type }: MessageRow): Source {
    const [source] = this.#parts.sources.ofKind(msg_type)
    if (source === undefined) throw new Refused(FAILURES.no_message)
    return source
  }
}

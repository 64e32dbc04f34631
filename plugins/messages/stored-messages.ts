import type { Knex } from 'knex'
import { type App, KeyedQueue, Refused, type UserSession } from '../../core/index.ts'
import { type Check, findMessage, type MessageRow, MSG_TYPE, messagesByIds, Outdated } from '../../db/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { Revision } from './deliverable.ts'
import type { Deliveries } from './deliveries.ts'
import { emitChange } from './events.ts'
import { FAILURES } from './failures.ts'
import { RETRY_MS } from './read-positions.ts'
import type { Place, Source } from './source.ts'
import type { Sources } from './sources.ts'

/** Kinds that users write; the others are the server's own messages. */
const WRITTEN_BY_USERS: readonly number[] = [MSG_TYPE.chat, MSG_TYPE.group]

export interface StoredMessagesParts {
  readonly app: App
  readonly db: Knex
  readonly accounts: Accounts
  readonly sources: Sources
  readonly deliveries: Deliveries
  /** The highest id of a message that was fanned out. */
  readonly horizon: () => number
  /** Resolves when the messages that are stored by now were fanned out. */
  readonly settled: () => Promise<void>
  /** See Conversations.checkedUpTo. */
  readonly checkedUpTo: () => number
}

/** Checks of one change. Other changes that decide on it come much less often. */
const MAX_CHECKS = 10

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

  /**
   * Runs changes of one message one at a time, so that they are announced in the order of their commits.
   * @param work checks what the user may do, and changes the message; again when another server has changed meanwhile what
   *   was checked. Its argument is for `checkOf`
   * @throws what `work` throws, Refused `account_disabled`
   */
  change<T>({ user }: UserSession, id: number, work: (checkedUpTo: number) => Promise<T>): Promise<T> {
    const { accounts, checkedUpTo, settled } = this.#parts
    return this.#changes.run(id, async () => {
      for (let checks = 1; ; checks++) {
        try {
          return await work(checkedUpTo())
        } catch (error) {
          if (!(error instanceof Outdated)) throw error
          if (checks === MAX_CHECKS) throw new Refused('unavailable', undefined, { retryAfter: RETRY_MS })
        }
        await settled()
        if ((await accounts.byIds([user.id])).get(user.id)?.active === false) throw new Refused('account_disabled')
      }
    })
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

  /** What `change` has checked of a user and a message. */
  checkOf({ user }: UserSession, { user_id, target_id, msg_type }: MessageRow, checkedUpTo: number): Check {
    const isRecipient = msg_type !== MSG_TYPE.group && target_id === user.id
    return { checkedUpTo, user_id: user.id, target_id: isRecipient ? user_id : target_id, msg_type }
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

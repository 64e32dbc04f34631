import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, lruCache, Refused, Retries } from '../../core/index.ts'
import {
  deleteOldestRequestKeys,
  deleteRequestKey,
  insertRequestKey,
  isUnavailable,
  type RequestKeyRow,
  type RequestKeyUsage,
  requestKeyUsage,
  setReply,
} from '../../db/index.ts'
import type { IdempotencyLimits } from './limits.ts'

/** Replies that wait until the database takes them, in bytes of memory; beyond it the oldest outcome is unknown. */
const UNWRITTEN_BYTES = 16 * 1024 * 1024
/** Users of whom it is known how much is kept for them. */
const USERS_KNOWN = 10_000
/** Left of what is over a limit, so that not each new key has to forget an old one. */
const LEFT = 0.9

export const placeOf = ({ user_id, request_key }: Pick<RequestKeyRow, 'user_id' | 'request_key'>) =>
  `${user_id} ${request_key}`

/** The keys of requests. What the database does not take now is remembered, and written when it is back. */
export class RequestKeys {
  readonly #limits: IdempotencyLimits
  readonly #db: Knex
  readonly #retries: Retries
  /** Writes what is not written yet, by place. */
  readonly #unwritten = new Map<string, () => Promise<void>>()
  #unwrittenBytes = 0
  readonly #usage = lruCache<number, RequestKeyUsage>(USERS_KNOWN)

  constructor(app: App, limits: IdempotencyLimits, db: Knex, log: Logger) {
    this.#limits = limits
    this.#db = db
    this.#retries = new Retries(app, isUnavailable, (error) => log.error({ err: error }, 'cannot write request keys'))
    app.onStop(() => Promise.allSettled([...this.#unwritten.values()].map((write) => write())))
  }

  /** Takes a key. False when it is taken. @throws when that cannot be known now: the key is then given back */
  async take(row: RequestKeyRow): Promise<boolean> {
    await this.#unwritten.get(placeOf(row))?.()
    try {
      return await insertRequestKey(this.#db, row)
    } catch (error) {
      // It may have been taken all the same, and nothing was carried out under it.
      if (isUnavailable(error)) this.#writeLater(row, 0, () => deleteRequestKey(this.#db, row))
      throw error
    }
  }

  /** Nothing was carried out under the key: it may be used again. */
  giveBack(row: RequestKeyRow): Promise<void> {
    return this.#write(row, 0, () => deleteRequestKey(this.#db, row))
  }

  /** The request was carried out; this is what its sender is told from now on. */
  async keep(row: RequestKeyRow, reply: Buffer, running: Iterable<string>) {
    await this.#write(row, reply.length, () => setReply(this.#db, row, reply))
    void this.#retries.until(() => this.#bound(row.user_id, reply.length, [...running]))
  }

  /** Whether the request was carried out is not known yet: its key can be used when it is. */
  async hold(row: RequestKeyRow, outcome: Promise<Buffer | undefined>, running: Iterable<string>) {
    const wait = () => Promise.reject(new Refused('unavailable', undefined, { retryAfter: 1000 }))
    this.#unwritten.set(placeOf(row), wait)
    try {
      const reply = await outcome
      await (reply === undefined ? this.giveBack(row) : this.keep(row, reply, running))
    } finally {
      if (this.#unwritten.get(placeOf(row)) === wait) this.#unwritten.delete(placeOf(row))
    }
  }

  /** Resolves when it is written or will be. */
  async #write(row: RequestKeyRow, bytes: number, write: () => Promise<void>) {
    try {
      await write()
    } catch (error) {
      if (!isUnavailable(error) || this.#unwrittenBytes + bytes > UNWRITTEN_BYTES) throw error
      this.#writeLater(row, bytes, write)
    }
  }

  #writeLater(row: RequestKeyRow, bytes: number, write: () => Promise<void>) {
    const place = placeOf(row)
    this.#unwrittenBytes += bytes
    let writing: Promise<void> | undefined
    const attempt = () => {
      writing ??= write().then(
        () => {
          this.#unwrittenBytes -= bytes
          if (this.#unwritten.get(place) === attempt) this.#unwritten.delete(place)
        },
        (error) => {
          writing = undefined
          throw error
        },
      )
      return writing
    }
    this.#unwritten.set(place, attempt)
    void this.#retries.until(attempt)
  }

  /** Forgets the oldest keys of a user who has more than the limits allow. */
  async #bound(userId: number, bytes: number, running: readonly string[]) {
    const { requestKeysPerUser, requestReplies } = this.#limits
    let usage = this.#usage.get(userId)
    if (usage === undefined) usage = await requestKeyUsage(this.#db, userId)
    else {
      usage.keys++
      usage.bytes += bytes
    }
    this.#usage.set(userId, usage)
    if (usage.keys <= requestKeysPerUser && usage.bytes <= requestReplies) return
    // Counted again next time.
    this.#usage.delete(userId)
    const tooMuch = {
      keys: usage.keys > requestKeysPerUser ? usage.keys - requestKeysPerUser * LEFT : 0,
      bytes: usage.bytes > requestReplies ? usage.bytes - requestReplies * LEFT : 0,
    }
    await deleteOldestRequestKeys(this.#db, userId, tooMuch, running)
  }
}

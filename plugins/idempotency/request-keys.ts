import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, lruCache, Refused, Retries } from '../../core/index.ts'
import {
  deleteOldestRequestKeys,
  deleteRequestKey,
  insertRequestKey,
  isUnavailable,
  Nodes,
  type RequestKeyRow,
  type RequestKeyUsage,
  requestKeyUsage,
  setReply,
} from '../../db/index.ts'
import type { IdempotencyLimits } from './limits.ts'

/** Replies held in memory while the database is unavailable; beyond it a write fails. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024
/** Users whose usage is cached. */
const MAX_CACHED_USERS = 10_000
/** Usage after a deletion, as a part of the limit: not every new key beyond the limit costs a deletion. */
const USAGE_AFTER_DELETION = 0.9

export const keyOf = ({ user_id, request_key }: Pick<RequestKeyRow, 'user_id' | 'request_key'>) =>
  `${user_id} ${request_key}`

/** Stores idempotency keys. Writes that fail while the database is unavailable are held in memory and retried. */
export class RequestKeys {
  readonly #limits: IdempotencyLimits
  readonly #db: Knex
  readonly #nodes: Nodes | undefined
  readonly #retries: Retries
  /** Writes to retry, by user and key. */
  readonly #unwritten = new Map<string, () => Promise<void>>()
  #unwrittenBytes = 0
  readonly #usage = lruCache<number, RequestKeyUsage>(MAX_CACHED_USERS)

  constructor(app: App, limits: IdempotencyLimits, db: Knex, log: Logger) {
    this.#limits = limits
    this.#db = db
    if (app.cluster.node !== 0) this.#nodes = new Nodes(db, app.clock)
    this.#retries = new Retries(app, isUnavailable, (error) => log.error({ err: error }, 'cannot write request keys'))
    app.onStop(() => Promise.allSettled([...this.#unwritten.values()].map((write) => write())))
  }

  /** Takes a key; false if it is taken. @throws when that is unknown: the key is then released */
  async take(row: RequestKeyRow): Promise<boolean> {
    await this.#unwritten.get(keyOf(row))?.()
    try {
      return await insertRequestKey(this.#db, row)
    } catch (error) {
      // It may be stored all the same, and the request was not carried out.
      if (isUnavailable(error)) this.#writeLater(row, 0, () => deleteRequestKey(this.#db, row))
      throw error
    }
  }

  /** The request was not carried out: the key can be used again. */
  release(row: RequestKeyRow): Promise<void> {
    return this.#write(row, 0, () => deleteRequestKey(this.#db, row))
  }

  /** The request was carried out: repeats get this reply. @param running keys that must not be deleted */
  async keep(row: RequestKeyRow, reply: Buffer, running: Iterable<string>) {
    await this.#write(row, reply.length, () => setReply(this.#db, row, reply))
    this.#count(row, reply.length, running)
  }

  /** The request was carried out, or may have been, and repeats get no reply. @param running keys that must not be deleted */
  keepWithoutReply(row: RequestKeyRow, running: Iterable<string>) {
    this.#count(row, 0, running)
  }

  /** It is unknown yet whether the request was carried out: the key is refused as `unavailable` until it is known. */
  async hold(row: RequestKeyRow, outcome: Promise<Buffer | undefined>, running: Iterable<string>) {
    const wait = () => Promise.reject(new Refused('unavailable', undefined, { retryAfter: 1000 }))
    this.#unwritten.set(keyOf(row), wait)
    try {
      const reply = await outcome
      await (reply === undefined ? this.release(row) : this.keep(row, reply, running))
    } catch (error) {
      this.keepWithoutReply(row, running)
      throw error
    } finally {
      if (this.#unwritten.get(keyOf(row)) === wait) this.#unwritten.delete(keyOf(row))
    }
  }

  #count(row: RequestKeyRow, bytes: number, running: Iterable<string>) {
    void this.#retries.until(() => this.#deleteExcess(row.user_id, bytes, [...running]))
  }

  /** Resolves when the write is done or held for a retry. */
  async #write(row: RequestKeyRow, bytes: number, write: () => Promise<void>) {
    try {
      await write()
    } catch (error) {
      if (!isUnavailable(error) || this.#unwrittenBytes + bytes > MAX_UNWRITTEN_BYTES) throw error
      this.#writeLater(row, bytes, write)
    }
  }

  #writeLater(row: RequestKeyRow, bytes: number, write: () => Promise<void>) {
    const key = keyOf(row)
    this.#unwrittenBytes += bytes
    let writing: Promise<void> | undefined
    const attempt = () => {
      writing ??= write().then(
        () => {
          this.#unwrittenBytes -= bytes
          if (this.#unwritten.get(key) === attempt) this.#unwritten.delete(key)
        },
        (error) => {
          writing = undefined
          throw error
        },
      )
      return writing
    }
    this.#unwritten.set(key, attempt)
    void this.#retries.until(attempt)
  }

  /** Deletes the oldest keys of a user whose usage exceeds the limits. */
  async #deleteExcess(userId: number, bytes: number, running: readonly string[]) {
    const { requestKeysPerUser, requestReplies } = this.#limits
    let usage = this.#usage.get(userId)
    if (usage === undefined) usage = await requestKeyUsage(this.#db, userId)
    else {
      usage.keys++
      usage.bytes += bytes
    }
    this.#usage.set(userId, usage)
    if (usage.keys <= requestKeysPerUser && usage.bytes <= requestReplies) return
    // Counted in the database next time.
    this.#usage.delete(userId)
    const excess = {
      keys: usage.keys > requestKeysPerUser ? usage.keys - requestKeysPerUser * USAGE_AFTER_DELETION : 0,
      bytes: usage.bytes > requestReplies ? usage.bytes - requestReplies * USAGE_AFTER_DELETION : 0,
    }
    await deleteOldestRequestKeys(this.#db, userId, excess, running, this.#nodes?.living())
  }
}

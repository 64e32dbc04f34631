import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, Refused } from '../../core/index.ts'
import { findRequestKey, isInDoubt, Nodes, type RequestKeyRow } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { OnceDone } from './messages.ts'
import { keyOf, type RequestKeys } from './request-keys.ts'

/** Longest wait for the reply of another node, and the interval at which it is looked for. */
const [MAX_WAIT_MS, POLL_MS] = [10_000, 100]

export interface Answer {
  /** Whether the request was carried out before. */
  readonly repeat: boolean
  readonly reply: Buffer
}

export interface Execution {
  readonly row: RequestKeyRow
  perform(): Promise<object | undefined>
  toReply(values: object | undefined): Buffer
}

/** Carries out requests once per idempotency key, and answers repeated ones with the first reply. */
export class Executions {
  readonly #app: App
  readonly #db: Knex
  readonly #nodes: Nodes
  readonly #log: Logger
  readonly #keys: RequestKeys
  /** Requests in flight, by user and key. */
  readonly #running = new Map<string, { readonly hash: string; readonly reply: Promise<Buffer> }>()

  constructor(app: App, db: Knex, log: Logger, keys: RequestKeys) {
    this.#app = app
    this.#db = db
    this.#nodes = new Nodes(db, app.clock)
    this.#log = log
    this.#keys = keys
  }

  /**
   * Carries out a request, or waits for the same one in flight, or finds its earlier reply.
   * @throws Refused `key_reused`, `outcome_unknown`, `too_large`, `unavailable`, and as the request itself
   */
  async run(execution: Execution): Promise<Answer> {
    const { row } = execution
    const key = keyOf(row)
    const other = this.#running.get(key)
    if (other !== undefined) {
      if (other.hash !== row.request_hash) throw new Refused(FAILURES.key_reused)
      return { repeat: true, reply: await other.reply }
    }
    const answer = this.#execute(execution)
    const reply = answer.then((answered) => answered.reply)
    // Awaited only by repeated requests; the failure goes to the caller through `answer`.
    reply.catch(() => {})
    this.#running.set(key, { hash: row.request_hash, reply })
    try {
      return await answer
    } finally {
      this.#running.delete(key)
    }
  }

  async #execute(execution: Execution): Promise<Answer> {
    const { row, perform } = execution
    while (!(await this.#keys.take(row))) {
      const reply = await this.#earlierReply(row)
      if (reply !== undefined) return { repeat: true, reply }
    }
    let values: object | undefined
    try {
      values = await perform()
    } catch (refusal) {
      await this.#record(row, 'cannot release a request key', () => this.#release(execution, refusal))
      throw refusal
    }
    const reply = this.#encoded(execution, values)
    await this.#record(row, 'cannot store the reply of a request', () =>
      this.#keys.keep(row, reply, this.#runningOf(row.user_id)),
    )
    return { repeat: false, reply }
  }

  /**
   * The reply to a request that was carried out.
   * @throws Refused `too_large`, and an error for values that are not valid; the key stays taken, without a reply
   */
  #encoded({ row, toReply }: Execution, values: object | undefined): Buffer {
    try {
      const reply = toReply(values)
      if (reply.length <= OnceDone.fields.reply.max) return reply
      throw new Refused('too_large', 'the request was executed, but its reply is too long for once_done')
    } catch (error) {
      this.#keys.keepWithoutReply(row, this.#runningOf(row.user_id))
      throw error
    }
  }

  /** Releases the key, at once or when it is certain that the request was not carried out. */
  async #release({ row, toReply }: Execution, refusal: unknown) {
    const outcome = refusal instanceof Refused ? refusal.outcome : undefined
    if (refusal instanceof Refused && isInDoubt(refusal.cause))
      return this.#keys.keepWithoutReply(row, this.#runningOf(row.user_id))
    if (outcome === undefined) return this.#keys.release(row)
    const reply = outcome.then((values) => values && toReply(values))
    // In the background: the sender gets the refusal now.
    void this.#record(row, 'the outcome of a request is not known', () =>
      this.#keys.hold(row, reply, this.#runningOf(row.user_id)),
    )
  }

  /** Best effort: the outcome is known to this caller, so a failed write affects only later repeats of the request. */
  async #record({ request_key: key }: RequestKeyRow, otherwise: string, write: () => Promise<void>) {
    try {
      await write()
    } catch (error) {
      this.#log.error({ err: error, key }, otherwise)
    }
  }

  /**
   * The reply of an earlier request, for which this waits while another node carries it out; undefined if its key was
   * released meanwhile.
   * @throws Refused `key_reused`, `outcome_unknown`
   */
  async #earlierReply(row: RequestKeyRow): Promise<Buffer | undefined> {
    const { clock } = this.#app
    const until = clock.now() + MAX_WAIT_MS
    for (let isOver = false; ; ) {
      const earlier = await findRequestKey(this.#db, row.user_id, row.request_key)
      if (earlier === undefined) return undefined
      if (earlier.request_hash !== row.request_hash) throw new Refused(FAILURES.key_reused)
      if (earlier.reply !== null) return earlier.reply
      if (isOver) throw new Refused(FAILURES.outcome_unknown)
      // Read once more: it may have stored the reply just before its end.
      isOver = clock.now() >= until || !(await this.#isUnderWay(earlier))
      if (!isOver) await new Promise<void>((resolve) => clock.after(POLL_MS, resolve))
    }
  }

  /** Whether another node may still store a reply. */
  async #isUnderWay({ owner }: RequestKeyRow): Promise<boolean> {
    return owner !== this.#app.cluster.node && (await this.#nodes.isAlive(owner))
  }

  /** Keys of a user's requests in flight. */
  #runningOf(userId: number): string[] {
    const prefix = `${userId} `
    return [...this.#running.keys()].flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []))
  }
}

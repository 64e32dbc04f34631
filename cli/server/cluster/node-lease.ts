import type { Logger } from 'pino'
import type { Clock, Timer } from '../../../core/index.ts'
import { DatabaseError, LEASE_MS, type Nodes } from '../../../db/index.ts'

/** Milliseconds between two renewals. */
export const RENEW_MS = 2000

/**
 * Keeps a node alive: renews its lease. `lost` resolves when that failed for as long as a lease is valid, by the monotonic
 * clock, or when the database says that it has ended: others may then have taken what the node owned.
 */
export class NodeLease {
  readonly lost: Promise<Error>
  readonly #nodes: Nodes
  readonly #id: number
  readonly #clock: Clock
  readonly #log: Logger
  readonly #timer: Timer
  #lose: (error: Error) => void = () => {}
  #report: () => object = () => ({})
  #others: readonly number[]
  #renewedAt: number
  #renewal: Promise<void> | undefined

  /** @param joinedAt before the node has joined, by the monotonic clock */
  constructor(
    nodes: Nodes,
    id: number,
    own: { clock: Clock; log: Logger; joinedAt: number; others: readonly number[] },
  ) {
    this.#nodes = nodes
    this.#id = id
    this.#clock = own.clock
    this.#log = own.log
    this.#renewedAt = own.joinedAt
    this.#others = own.others
    this.lost = new Promise((resolve) => {
      this.#lose = resolve
    })
    this.#timer = own.clock.every(RENEW_MS, () => this.#look()).unref()
  }

  /** Ids of the other living nodes, as of the last renewal. */
  get others(): readonly number[] {
    return this.#others
  }

  /** Milliseconds since the last renewal. */
  get age(): number {
    return this.#clock.now() - this.#renewedAt
  }

  /** Sets what is stored with each renewal, see NodeState. */
  reportWith(report: () => object) {
    this.#report = report
  }

  /** Ends the lease at once, unless the database does not answer: then it ends by itself. */
  async end() {
    this.#timer.cancel()
    await this.#renewal
    try {
      await this.#nodes.leave(this.#id)
    } catch (error) {
      this.#log.warn({ err: error }, `the other nodes will notice in ${LEASE_MS / 1000} s that this node has stopped`)
    }
  }

  #look() {
    if (this.age > LEASE_MS)
      return this.#lose(new DatabaseError(`the lease of this node could not be renewed for ${LEASE_MS / 1000} s`))
    // A renewal that hangs does not hide that the lease has ended.
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined
    })
  }

  async #renew() {
    const begun = this.#clock.now()
    try {
      if (!(await this.#nodes.renew(this.#id, this.#report())))
        return this.#lose(
          new DatabaseError('the lease of this node has ended: it was paused, or cut from the database'),
        )
      this.#renewedAt = begun
      this.#others = await this.#nodes.livingIds(this.#id)
    } catch (error) {
      this.#log.warn({ err: error }, 'the lease of this node could not be renewed; trying again')
    }
  }
}

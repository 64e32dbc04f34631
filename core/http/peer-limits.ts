import type { Clock } from '../clock.ts'
import { TokenBucket, tokenBuckets } from '../flow/token-bucket.ts'
import type { Limits } from '../limits.ts'
import { networkOf } from '../session/address.ts'

/** Networks whose rate of requests is remembered at once. */
const NETWORKS = 50_000

/** Open HTTP connections and the rate of requests, by network as for sessions; a WebSocket is a session instead. */
export class PeerLimits {
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #connections = new Map<string, number>()
  readonly #rates
  #size = 0

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#rates = tokenBuckets(NETWORKS, { rate: limits.httpRate, burst: limits.httpBurst, clock })
  }

  /** Open HTTP connections. */
  get size(): number {
    return this.#size
  }

  /**
   * Counts a new connection; undefined when there are too many.
   * @param address undefined for a trusted proxy, whose connections carry the requests of many
   * @returns ends the count, once
   */
  enter(address: string | undefined): (() => void) | undefined {
    const { httpConnections, httpConnectionsPerAddress } = this.#limits
    const network = address === undefined ? undefined : networkOf(address)
    const open = network === undefined ? 0 : (this.#connections.get(network) ?? 0)
    if (this.#size >= httpConnections || open >= httpConnectionsPerAddress) return undefined
    this.#size++
    if (network !== undefined) this.#connections.set(network, open + 1)
    let isOpen = true
    return () => {
      if (!isOpen) return
      isOpen = false
      this.#size--
      if (network !== undefined) this.#leave(network)
    }
  }

  /** Counts a request; returns the milliseconds after which it would be in the rate, 0 if it is. */
  take(address: string): number {
    const now = this.#clock.now()
    const network = networkOf(address)
    const bucket = this.#rates.get(network) ?? new TokenBucket(this.#limits.httpRate, this.#limits.httpBurst, now)
    this.#rates.set(network, bucket)
    const wait = bucket.take(now)
    // A refused request costs nothing, or a peer that keeps trying would never be let in again.
    if (wait > 0) bucket.giveBack()
    return wait
  }

  #leave(network: string) {
    const left = (this.#connections.get(network) ?? 0) - 1
    if (left > 0) this.#connections.set(network, left)
    else this.#connections.delete(network)
  }
}

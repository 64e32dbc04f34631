import { randomInt } from 'node:crypto'
import type { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import { TokenBucket, tokenBuckets } from '../flow/token-bucket.ts'
import type { Limits } from '../limits.ts'
import { networkOf, siteOf } from './address.ts'
import type { PeerSession } from './peer-session.ts'

/** Networks whose rate of connections is remembered at once. */
const NETWORKS = 50_000
/** A site, an IPv6 /48, may have this many times what one network may. */
const SITE_FACTOR = 8

/** Addresses counted as one, with their connections and rates. */
interface Scope {
  readonly keyOf: (address: string) => string
  /** Multiple of the limit of one address. */
  readonly factor: number
  /** Peers that have not logged in and were not evicted. */
  readonly peers: Map<string, Set<PeerSession>>
  readonly rates: LRUCache<string, TokenBucket>
}

/**
 * Which connections may be there without a login, and which of them is evicted when there are too many: of the
 * address with most, or of the site with most, one that has done least. So mere connections cannot keep out a peer that is logging in.
 */
export class Admission {
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #sites: Scope
  readonly #scopes: readonly Scope[]
  #size = 0

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    const { connectBurst, connectRate } = limits
    const scope = (keyOf: Scope['keyOf'], factor: number): Scope => ({
      keyOf,
      factor,
      peers: new Map(),
      rates: tokenBuckets(NETWORKS, { rate: connectRate * factor, burst: connectBurst * factor, clock }),
    })
    this.#sites = scope((address) => siteOf(address) ?? networkOf(address), SITE_FACTOR)
    this.#scopes = [scope(networkOf, 1), this.#sites]
  }

  /** Counts a new connection against the rates of its network and site; false when it comes too fast. */
  isInRate(address: string): boolean {
    const now = this.#clock.now()
    const { connectRate, connectBurst } = this.#limits
    return this.#scopes.every(({ keyOf, factor, rates }) => {
      const key = keyOf(address)
      const bucket = rates.get(key) ?? new TokenBucket(connectRate * factor, connectBurst * factor, now)
      rates.set(key, bucket)
      if (bucket.take(now) === 0) return true
      // A refused connection costs nothing, or a peer that keeps trying would never be let in again.
      bucket.giveBack()
      return false
    })
  }

  /** Adds a peer, and evicts another one if that makes too many. */
  add(peer: PeerSession) {
    const { unauthenticated, unauthenticatedPerAddress } = this.#limits
    this.#size++
    const neighbourhoods = this.#scopes.map(({ keyOf, factor, peers }) => {
      const key = keyOf(peer.address)
      const neighbours = peers.get(key) ?? new Set<PeerSession>()
      peers.set(key, neighbours.add(peer))
      return { neighbours, most: unauthenticatedPerAddress * factor }
    })
    for (const { neighbours, most } of neighbourhoods) if (neighbours.size > most) this.#evictOneOf(neighbours, peer)
    if (this.#size > unauthenticated) this.#evictOneOf(this.#largestSites(), peer)
  }

  /** The peer has logged in, is gone, or was evicted. */
  remove(peer: PeerSession) {
    let wasThere = false
    for (const { keyOf, peers } of this.#scopes) {
      const key = keyOf(peer.address)
      const neighbours = peers.get(key)
      wasThere = neighbours?.delete(peer) ?? false
      if (neighbours?.size === 0) peers.delete(key)
    }
    if (wasThere) this.#size--
  }

  /** The peers of the largest site, or of all largest sites if there are several. */
  #largestSites(): Set<PeerSession> {
    const sites = [...this.#sites.peers.values()]
    const most = sites.reduce((size, peers) => Math.max(size, peers.size), 0)
    return new Set(sites.filter(({ size }) => size === most).flatMap((peers) => [...peers]))
  }

  /** Random eviction among the peers with least progress; the newest only where there is no other. */
  #evictOneOf(peers: ReadonlySet<PeerSession>, newest: PeerSession) {
    const others = [...peers].filter((peer) => peer !== newest)
    const least = others.reduce((progress, peer) => Math.min(progress, peer.progress), Number.POSITIVE_INFINITY)
    const candidates = others.filter(({ progress }) => progress === least)
    const evicted = candidates.length === 0 ? newest : (candidates[randomInt(candidates.length)] as PeerSession)
    this.remove(evicted)
    evicted.close('timed_out')
  }
}

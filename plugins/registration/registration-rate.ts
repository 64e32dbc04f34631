import { RateLimiterMemory } from 'rate-limiter-flexible'
import { type Cluster, Refused, type Session } from '../../core/index.ts'

/** Limits registrations per address: those on all nodes, as far as nodes hear each other. */
export class RegistrationRate {
  readonly #limiter: RateLimiterMemory
  /** Sessions whose next registration has been counted. */
  readonly #reserved = new WeakSet<Session>()

  readonly #cluster: Cluster

  constructor(perHour: number, cluster: Cluster) {
    this.#cluster = cluster
    this.#limiter = new RateLimiterMemory({ points: perHour, duration: 3600 })
  }

  /** Counts the registrations on other nodes. Returns a function that ends it. */
  hear(): () => void {
    return this.#cluster.hear('registration', (network) => void this.#limiter.penalty(network as string))
  }

  /** Counts one registration, unless it is reserved. @throws Refused `rate_limited` */
  async take(session: Session) {
    if (!this.#reserved.delete(session)) await this.count(session)
  }

  /** Counts one registration. @throws Refused `rate_limited` */
  async count(session: Session) {
    await this.#limiter.consume(session.network).catch(({ msBeforeNext: retryAfter }: { msBeforeNext: number }) => {
      throw new Refused('rate_limited', 'too many registrations from this address; retry later', { retryAfter })
    })
    this.#cluster.say('registration', session.network)
  }

  /** The session's next registration has been counted. */
  reserve(session: Session) {
    this.#reserved.add(session)
  }
}

import { RateLimiterMemory } from 'rate-limiter-flexible'
import { Refused, type Session } from '../../core/index.ts'

/** Limits registrations per address. */
export class RegistrationRate {
  readonly #limiter: RateLimiterMemory
  /** Sessions whose next registration has been counted. */
  readonly #reserved = new WeakSet<Session>()

  constructor(perHour: number) {
    this.#limiter = new RateLimiterMemory({ points: perHour, duration: 3600 })
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
  }

  /** The session's next registration has been counted. */
  reserve(session: Session) {
    this.#reserved.add(session)
  }
}

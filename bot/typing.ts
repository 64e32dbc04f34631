import { type Client, ClientError, Typing } from '../client/index.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { Recipient } from './effects.ts'
import type { BotLog } from './log.ts'

/** Clients show a notice for 6 s; the server drops those within 3 s of the last one. */
const REFRESH_MS = 4000

/** Shows that the bot is writing, until it stops or the run of its handler ends. */
export class TypingNotices {
  readonly #client: Client
  readonly #clock: Clock
  readonly #log: BotLog
  #timer: Timer | undefined
  #where: Recipient | undefined

  constructor(client: Client, clock: Clock, log: BotLog) {
    this.#client = client
    this.#clock = clock
    this.#log = log
  }

  /** Resolves when the first notice was sent. */
  async start(where: Recipient) {
    if (this.#timer !== undefined) return
    this.#where = where
    this.#timer = this.#clock.every(REFRESH_MS, () => void this.#send(where, true))
    await this.#send(where, true)
  }

  /** A message that follows at once ends the notice too. */
  stop() {
    const where = this.#where
    this.#timer?.cancel()
    this.#timer = undefined
    this.#where = undefined
    if (where !== undefined) void this.#send(where, false)
  }

  /** A notice that does not arrive is only logged: the handler goes on. */
  async #send(where: Recipient, state: boolean) {
    const target = typeof where === 'string' ? { to: where } : where
    try {
      await this.#client.request(Typing, { ...target, state })
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.#log.debug({ err: error }, 'no typing notice')
    }
  }
}

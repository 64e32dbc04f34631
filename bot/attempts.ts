import { type Client, ClientError, RefusedByServer } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'

/** Most runs of one handler whose failures may pass. */
export const MOST_RUNS = 6
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 30_000

/** Runs handlers again whose failure may pass: of the connection, or "try again later". */
export class Attempts {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #losses = 0
  #isUp = true
  #back = Promise.resolve()

  /** @param signal aborted when the bot has to end */
  constructor(client: Client, clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
    let up = () => {}
    client.onLife('disconnected', () => {
      this.#losses++
      this.#isUp = false
      this.#back = new Promise((resolve) => {
        up = resolve
      })
    })
    client.onLife('reconnected', () => {
      this.#isUp = true
      up()
    })
    signal.addEventListener('abort', () => up(), { once: true })
  }

  /**
   * Runs it until it succeeds or fails for good, at most so many times. Runs in which the connection was lost do not count.
   * @throws what the last run threw; the signal's reason when the bot has to end
   */
  async run<T>(
    task: () => Promise<T>,
    { most, onRetry = () => {} }: { most: number; onRetry?: (error: unknown, pause: number) => void },
  ): Promise<T> {
    for (let failures = 0; ; ) {
      const losses = this.#losses
      try {
        return await task()
      } catch (error) {
        this.#signal.throwIfAborted()
        const pause = retryDelay(error, failures)
        if (pause === undefined) throw error
        if (this.#isUp && losses === this.#losses) {
          if (++failures === most) throw error
          onRetry(error, pause)
          await this.#wait(pause)
        } else await this.#back
        this.#signal.throwIfAborted()
      }
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel()
        this.#signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#clock.after(ms, end)
      this.#signal.addEventListener('abort', end, { once: true })
    })
  }
}

/** Milliseconds to wait; undefined for a failure that does not pass. */
function retryDelay(error: unknown, failures: number): number | undefined {
  // Sending it later would begin the loop again.
  if (isLoop(error) || !(error instanceof ClientError)) return undefined
  const wait = error instanceof RefusedByServer ? error.retryAfter : 0
  const passes = wait > 0 || error.code === 'lost' || error.code === 'timed_out'
  return passes ? Math.max(wait, Math.min(FIRST_PAUSE_MS * 2 ** failures, LAST_PAUSE_MS)) : undefined
}

/** Whether the server has stopped two bots that answer each other. */
export const isLoop = (error: unknown): boolean => error instanceof RefusedByServer && error.failure === 'bot_loop'

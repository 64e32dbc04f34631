import { type Client, ClientError, RefusedByServer } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'

/** Attempts of one handler that fails transiently. */
export const MAX_ATTEMPTS = 6
const MIN_PAUSE_MS = 1000
const MAX_PAUSE_MS = 30_000

/** Retries tasks after transient failures: a lost connection, a time-out, or a refusal with `retryAfter`. */
export class Retrier {
  readonly #clock: Clock
  readonly #signal: AbortSignal
  /** Connections lost so far. */
  #losses = 0
  #isConnected = true
  #reconnected = Promise.resolve()

  /** @param signal aborted when the bot must end */
  constructor(client: Client, clock: Clock, signal: AbortSignal) {
    this.#clock = clock
    this.#signal = signal
    let resume = () => {}
    client.onLife('disconnected', () => {
      this.#losses++
      this.#isConnected = false
      this.#reconnected = new Promise((resolve) => {
        resume = resolve
      })
    })
    client.onLife('reconnected', () => {
      this.#isConnected = true
      resume()
    })
    signal.addEventListener('abort', () => resume(), { once: true })
  }

  /**
   * Runs the task until it succeeds, fails permanently, or has failed `maxAttempts` times. Attempts during which the
   * connection was lost do not count; the next one waits for the reconnect.
   * @param options.onRetry called before the pause, milliseconds
   * @throws the error of the last attempt; the signal's reason when the bot must end
   */
  async run<T>(
    task: () => Promise<T>,
    { maxAttempts, onRetry = () => {} }: { maxAttempts: number; onRetry?: (error: unknown, pause: number) => void },
  ): Promise<T> {
    for (let failures = 0; ; ) {
      const losses = this.#losses
      try {
        return await task()
      } catch (error) {
        this.#signal.throwIfAborted()
        const pause = retryDelay(error, failures)
        if (pause === undefined) throw error
        if (this.#isConnected && losses === this.#losses) {
          if (++failures === maxAttempts) throw error
          onRetry(error, pause)
          await this.#wait(pause)
        } else await this.#reconnected
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

/** Exponential back-off, at least the server's `retryAfter`, milliseconds; undefined for a permanent failure. */
function retryDelay(error: unknown, failures: number): number | undefined {
  // Retrying a bot loop would restart it.
  if (isBotLoop(error) || !(error instanceof ClientError)) return undefined
  const retryAfter = error instanceof RefusedByServer ? error.retryAfter : 0
  const isTransient = retryAfter > 0 || error.code === 'lost' || error.code === 'timed_out'
  return isTransient ? Math.max(retryAfter, Math.min(MIN_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS)) : undefined
}

/** Whether the server refused a message because bots answer each other in a loop. */
export const isBotLoop = (error: unknown): boolean => error instanceof RefusedByServer && error.failure === 'bot_loop'

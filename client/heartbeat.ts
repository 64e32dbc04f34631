import { afterTurn } from '#platform/runtime'

export interface HeartbeatOptions {
  /** Idle time after which a ping is sent. */
  readonly idleMs: number
  /** Time within which any bytes must arrive after a ping. */
  readonly timeoutMs: number
  /** `performance.now()` at the last bytes from the peer. */
  readonly lastReceivedAt: () => number
  readonly ping: () => void
  /** Called once if nothing arrives in time. */
  readonly onDead: () => void
}

/**
 * Detects a half-open connection: a pulled cable, a power cut, an expired NAT entry. Writes to it succeed for minutes, so
 * only missing replies reveal it.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  #isStopped = false

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#watch(options.idleMs)
  }

  stop() {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #after(ms: number, task: () => void) {
    if (this.#isStopped) return
    const timer = setTimeout(task, ms)
    // The timers of browsers are numbers.
    if (typeof timer === 'object') timer.unref()
    this.#timer = timer
  }

  #watch(ms: number) {
    const { idleMs, lastReceivedAt } = this.#options
    this.#after(ms, () => {
      const left = lastReceivedAt() + idleMs - performance.now()
      if (left > 0) this.#watch(left)
      else this.#ping()
    })
  }

  #ping() {
    const { timeoutMs, idleMs, lastReceivedAt, ping, onDead } = this.#options
    const pingedAt = performance.now()
    ping()
    this.#after(timeoutMs, () => {
      // If this process was blocked meanwhile, the reply is still in the socket: let it be read first.
      afterTurn(() => {
        if (this.#isStopped) return
        if (lastReceivedAt() >= pingedAt) this.#watch(idleMs)
        else onDead()
      })
    })
  }
}

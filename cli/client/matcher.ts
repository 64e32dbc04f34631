import { Worker } from 'node:worker_threads'

/** Match of an expression: the whole match, its groups, and its named groups. */
export interface Found {
  readonly match: readonly (string | undefined)[]
  readonly groups?: Readonly<Record<string, string | undefined>>
}

/** In a thread of its own: an expression that backtracks must not hold up time limits and Ctrl-C. */
const SOURCE = `
  const { parentPort, workerData: { source, flags } } = require('node:worker_threads')
  const pattern = new RegExp(source, flags)
  parentPort.on('message', (text) => {
    const found = pattern.exec(text)
    parentPort.postMessage(found && { match: [...found], ...(found.groups && { groups: { ...found.groups } }) })
  })
`

export class Matcher {
  readonly #worker: Worker

  constructor({ source, flags }: RegExp) {
    this.#worker = new Worker(SOURCE, { eval: true, workerData: { source, flags } })
  }

  /**
   * The match in a text, null if there is none. One text at a time.
   * @param signal resolves with null when it aborts; the matcher is unusable from then on
   */
  find(text: string, signal: AbortSignal): Promise<Found | null> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        signal.removeEventListener('abort', stop)
        this.#worker.off('message', answer).off('error', fail)
        act()
      }
      const stop = () => settle(() => resolve(null))
      const answer = (found: Found | null) => settle(() => resolve(found))
      const fail = (error: unknown) => settle(() => reject(error))
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop, { once: true })
      this.#worker.on('message', answer).on('error', fail)
      this.#worker.postMessage(text)
    })
  }

  /** Terminates the thread, also during a match. */
  async close() {
    await this.#worker.terminate()
  }
}

import { Worker } from 'node:worker_threads'

/** What an expression found: the whole match, then its groups, and those that have names. */
export interface Found {
  readonly match: readonly (string | undefined)[]
  readonly groups?: Readonly<Record<string, string | undefined>>
}

/** An expression that backtracks may take years: in a thread of its own, time limits and Ctrl-C hold meanwhile. */
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
   * What the expression finds in the text, null if nothing; one text at a time.
   * @param signal null as soon as it aborts: the thread may be lost in that text, so it is of no more use
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

  /** Ends the thread, whatever it does. */
  async close() {
    await this.#worker.terminate()
  }
}

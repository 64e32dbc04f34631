/** Parses a text `SENDER N`. */
const parse = (text: string) => {
  const [sender = '', number = ''] = text.split(' ')
  return { sender, number: Number(number) }
}

/**
 * Messages that senders have attempted, that the server has acknowledged, and that are stored. Texts are `SENDER N`,
 * with N ascending for each sender.
 */
export class Ledger {
  readonly #attempted = new Set<string>()
  readonly #acknowledged = new Map<string, number>()
  readonly #refused = new Set<string>()
  readonly #stored = new Map<string, number[]>()
  #lastId = 0
  #lastAt = Number.POSITIVE_INFINITY
  #longestPause = 0
  #awaited = { count: Number.POSITIVE_INFINITY, reached: () => {} }

  attempt(text: string) {
    this.#attempted.add(text)
  }

  /** Records a refusal: should an earlier attempt be stored all the same, then in any order. */
  refuse(text: string) {
    this.#refused.add(text)
  }

  /** Records an acknowledgement. @throws Error when a second one has another id */
  acknowledge(text: string, id: number) {
    const before = this.#acknowledged.get(text)
    if (before !== undefined && before !== id) throw new Error(`${text} was acknowledged as ${before} and as ${id}`)
    this.#acknowledged.set(text, id)
    this.#lastId = Math.max(this.#lastId, id)
    this.#longestPause = Math.max(this.#longestPause, performance.now() - this.#lastAt)
    this.#lastAt = performance.now()
    if (this.#acknowledged.size >= this.#awaited.count) this.#awaited.reached()
  }

  /** Resolves when so many messages are acknowledged. For one caller at a time. */
  acknowledgements(count: number): Promise<void> {
    if (this.#acknowledged.size >= count) return Promise.resolve()
    return new Promise((reached) => {
      this.#awaited = { count, reached }
    })
  }

  /** Records stored messages, in the order of ids. The same id again adds nothing. */
  find(messages: readonly { readonly id: number; readonly text: string }[]) {
    for (const { id, text } of messages) {
      const ids = this.#stored.get(text) ?? []
      if (!ids.includes(id)) this.#stored.set(text, [...ids, id])
    }
  }

  get attempted(): number {
    return this.#attempted.size
  }

  /** The highest id that was acknowledged; 0 if none was. */
  get lastId(): number {
    return this.#lastId
  }

  /** The longest time between two acknowledgements, in milliseconds. */
  get longestPause(): number {
    return this.#longestPause
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** The totals; the last four must be 0. */
  figures() {
    const stored = [...this.#stored]
    const ordered = stored.filter(([text]) => !this.#refused.has(text))
    return {
      attempted: this.#attempted.size,
      acknowledged: this.#acknowledged.size,
      stored: stored.length,
      lost: [...this.#acknowledged].filter(([text, id]) => !this.#stored.get(text)?.includes(id)).length,
      duplicated: stored.filter(([, ids]) => ids.length > 1).length,
      'out of order': outOfOrder(ordered.map(([text, ids]) => ({ text, id: Math.min(...ids) }))),
      unexpected: stored.filter(([text]) => !this.#attempted.has(text)).length,
    }
  }
}

/** The part of `figures` that a correct server has. */
export const KEPT = { lost: 0, duplicated: 0, 'out of order': 0, unexpected: 0 }

/** Number of messages whose id is above that of a later message of the same sender. */
function outOfOrder(messages: readonly { readonly text: string; readonly id: number }[]): number {
  const last = new Map<string, number>()
  let count = 0
  for (const { text } of [...messages].sort((a, b) => a.id - b.id)) {
    const { sender, number } = parse(text)
    if (number < (last.get(sender) ?? 0)) count++
    last.set(sender, Math.max(number, last.get(sender) ?? 0))
  }
  return count
}

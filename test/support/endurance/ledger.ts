/** A message as its sender numbers it: `alice 17`. */
const parse = (text: string) => {
  const [sender = '', number = ''] = text.split(' ')
  return { sender, number: Number(number) }
}

/**
 * What senders tried to send, what the server acknowledged, and what it was found to have stored. Texts are `SENDER N`,
 * with N counted up by each sender.
 */
export class Ledger {
  readonly #attempted = new Set<string>()
  readonly #acknowledged = new Map<string, number>()
  readonly #stored = new Map<string, number[]>()
  #awaited = { count: Number.POSITIVE_INFINITY, reached: () => {} }

  attempt(text: string) {
    this.#attempted.add(text)
  }

  /** The server said that it has stored this under that id. A second answer must be the first one again. */
  acknowledge(text: string, id: number) {
    const before = this.#acknowledged.get(text)
    if (before !== undefined && before !== id) throw new Error(`${text} was acknowledged as ${before} and as ${id}`)
    this.#acknowledged.set(text, id)
    if (this.#acknowledged.size >= this.#awaited.count) this.#awaited.reached()
  }

  /** Resolves at the acknowledgement that makes them so many. One may wait. */
  acknowledgements(count: number): Promise<void> {
    if (this.#acknowledged.size >= count) return Promise.resolve()
    return new Promise((reached) => {
      this.#awaited = { count, reached }
    })
  }

  /** This was found in the database, in the order of ids. Finding the same id again adds nothing. */
  find(messages: readonly { readonly id: number; readonly text: string }[]) {
    for (const { id, text } of messages) {
      const ids = this.#stored.get(text) ?? []
      if (!ids.includes(id)) this.#stored.set(text, [...ids, id])
    }
  }

  get attempted(): number {
    return this.#attempted.size
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  /** How it stands; the last four must be 0. */
  figures() {
    const stored = [...this.#stored]
    return {
      attempted: this.#attempted.size,
      acknowledged: this.#acknowledged.size,
      stored: stored.length,
      lost: [...this.#acknowledged].filter(([text, id]) => !this.#stored.get(text)?.includes(id)).length,
      duplicated: stored.filter(([, ids]) => ids.length > 1).length,
      'out of order': outOfOrder(stored.map(([text, ids]) => ({ text, id: Math.min(...ids) }))),
      unexpected: stored.filter(([text]) => !this.#attempted.has(text)).length,
    }
  }
}

/** What `figures` must say of a server that keeps its word. */
export const KEPT = { lost: 0, duplicated: 0, 'out of order': 0, unexpected: 0 }

/** How many messages of any sender come, by their ids, after one that was sent later. */
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

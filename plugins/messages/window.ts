import { strict as assert } from 'node:assert'

/** The messages in flight on one session: pushed and not acknowledged. */
export class Window {
  readonly #limit: number
  /** Ascending ids, by the key under which they are acknowledged together. */
  readonly #inFlight = new Map<string, number[]>()
  #size = 0

  /** @param limit messages in flight at most [D-4] */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many more messages may be pushed. */
  get room(): number {
    return this.#limit - this.#size
  }

  add(key: string, id: number) {
    assert.ok(this.#size < this.#limit, '[D-4] more messages in flight than the window')
    const ids = this.#inFlight.get(key)
    if (ids === undefined) this.#inFlight.set(key, [id])
    else ids.push(id)
    this.#size++
  }

  /** Removes the messages of a key up to an id. False if none was in flight. */
  acknowledge(key: string, upTo: number): boolean {
    const ids = this.#inFlight.get(key) ?? []
    let read = 0
    while (read < ids.length && (ids[read] as number) <= upTo) read++
    return this.#keep(key, ids, ids.slice(read))
  }

  /** Removes one message. False if it was not in flight. */
  remove(key: string, id: number): boolean {
    const ids = this.#inFlight.get(key) ?? []
    const left = ids.filter((other) => other !== id)
    return this.#keep(key, ids, left)
  }

  #keep(key: string, ids: readonly number[], left: number[]): boolean {
    if (left.length === ids.length) return false
    this.#size -= ids.length - left.length
    if (left.length > 0) this.#inFlight.set(key, left)
    else this.#inFlight.delete(key)
    assert.ok(this.#size >= this.#inFlight.size, '[D-4] fewer messages in flight than keys of them')
    return true
  }
}

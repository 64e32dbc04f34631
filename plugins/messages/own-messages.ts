import type { Deliverable } from './deliverable.ts'
import type { Page } from './sources.ts'

/** Own messages that wait on one session at most [D-9]. */
const MAX_WAITING = 1000

/** The messages that the user of a session sends on other sessions. */
export interface OwnSource {
  readonly wants: (deliverable: Deliverable) => boolean
  /** Those of these ids that the user may still read, oldest first. */
  readonly load: (ids: readonly number[]) => Promise<Deliverable[]>
}

/**
 * Ids of own messages that a session has still to get. They are not unread, so the database does not return them as such:
 * once their texts have left the memory of the backlog, they are read again by these ids.
 */
export class OwnMessages {
  readonly #waiting = new Set<number>()

  /** False if too many wait: the session has fallen behind. */
  add(id: number): boolean {
    if (this.#waiting.size >= MAX_WAITING) return false
    this.#waiting.add(id)
    return true
  }

  has(id: number): boolean {
    return this.#waiting.has(id)
  }

  /** False if it did not wait. */
  delete(id: number): boolean {
    // Called for each push of any message.
    return this.#waiting.size > 0 && this.#waiting.delete(id)
  }

  /** The lowest ids above one, ascending. Those up to it are not pushed any more, and are removed. */
  above(id: number, limit: number): number[] {
    for (const waiting of this.#waiting) if (waiting <= id) this.#waiting.delete(waiting)
    return [...this.#waiting].sort((a, b) => a - b).slice(0, limit)
  }

  /** A page of unread messages with own ones in their places. @param ids the lowest ones that wait, ascending */
  async addTo({ found, more, readTo }: Page, ids: readonly number[], source: OwnSource): Promise<Page> {
    // Behind its end a page may lack unread messages.
    const end = more ? (readTo ?? found.at(-1)?.message.id ?? 0) : Number.MAX_SAFE_INTEGER
    const wanted = ids.filter((id) => id <= end)
    const own = await source.load(wanted)
    const loaded = new Set(own.map(({ message }) => message.id))
    // Recalled, or of a group that the user has left.
    for (const id of wanted) if (!loaded.has(id)) this.#waiting.delete(id)
    const merged = [...found, ...own].sort((one, other) => one.message.id - other.message.id)
    const lastId = ids.at(-1) ?? 0
    const hasMore = [...this.#waiting].some((id) => id > lastId)
    // Behind the last of `ids` the page lacks own ones.
    if (hasMore && end > lastId) return { found: merged.filter(({ message }) => message.id <= lastId), more: true }
    return { found: merged, more, ...(readTo !== undefined && { readTo }) }
  }
}

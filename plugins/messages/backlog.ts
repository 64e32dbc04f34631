import { strict as assert } from 'node:assert'
import { type Deliverable, type NewDeliverable, newDeliverable, type Revision, revised } from './deliverable.ts'
import { fitting } from './page.ts'
import type { Page } from './sources.ts'

/** Bytes of text of a page, and bytes of the messages stored since, that a session keeps in memory [D-9]. */
const MAX_BYTES = 128 * 1024

/** The unread messages that wait for room on one session: a page of the database, then those stored since it was read. */
export class Backlog {
  readonly #maxRecent: number
  /** Read from the database, ids ascending. */
  #page: Deliverable[] = []
  /** Stored since the last read began; the page may hold them too. Those without space here are `more`. */
  #recent: NewDeliverable[] = []
  #recentBytes = 0
  /** True while the database may hold unread messages that are not here. */
  #more = true
  #isReading = false
  /** Recalled or acknowledged since the last read began: the page may still hold them. */
  #gone: ((deliverable: Deliverable) => boolean)[] = []
  /** Grows when the page being read becomes stale. */
  #epoch = 0

  /** @param maxRecent messages stored since the last read that are kept, at most */
  constructor(maxRecent: number) {
    this.#maxRecent = maxRecent
  }

  /** True if there is nothing to push before the next message. */
  get isEmpty(): boolean {
    return !this.#more && !this.#isReading && this.#page.length + this.#recent.length === 0
  }

  /** True if the next messages have to be read from the database. */
  get needsRead(): boolean {
    return this.#more && this.#page.length === 0
  }

  /** A message was stored that cannot be pushed yet. */
  add(deliverable: NewDeliverable) {
    const bytes = deliverable.push.bytes.length
    if (this.#recent.length >= this.#maxRecent || this.#recentBytes + bytes > MAX_BYTES) this.#more = true
    else {
      this.#recent.push(deliverable)
      this.#recentBytes += bytes
    }
  }

  /** The database is about to be read. Returns the epoch of the read. */
  beginRead(): number {
    assert.ok(this.needsRead && !this.#isReading, 'one read at a time, and only of what is missing')
    this.#gone = []
    // The page will hold them.
    this.#keepRecent([])
    this.#more = false
    this.#isReading = true
    return this.#epoch
  }

  /**
   * The database has answered.
   * @param horizon messages above it are left out: they come through `add`, in their turn [D-6]
   * @returns how many messages of the page are kept, and whether those are all that fit into memory; undefined if the page
   *   was stale and is discarded
   */
  endRead(
    epoch: number,
    { found, more, readTo = 0 }: Page,
    horizon: number,
  ): { kept: number; isCut: boolean } | undefined {
    this.#isReading = false
    if (epoch !== this.#epoch) return undefined
    const fannedOut = found.filter(({ message }) => message.id <= horizon)
    const fit = fittingInMemory(fannedOut)
    this.#more ||= (more && readTo < horizon) || fit < fannedOut.length
    this.#page = fannedOut.slice(0, fit).filter((one) => !this.#gone.some((isGone) => isGone(one)))
    return { kept: fit, isCut: fit < fannedOut.length }
  }

  /** The database has failed. Messages stored meanwhile may have been dropped, and are all in the database. */
  failRead() {
    this.#isReading = false
    this.#more = true
  }

  /** Makes the page that is being read stale. */
  discardRead() {
    if (!this.#isReading) return
    this.#epoch++
    this.#more = true
  }

  /** Takes as many of the next messages of the page as fit into a packet, at most `limit`; none if it is used up. */
  takePage(limit: number): Deliverable[] {
    if (this.#page.length === 0) return []
    return this.#page.splice(0, fitting(this.#page.slice(0, limit).map(({ message }) => message)))
  }

  /** Takes the next message stored since the page was read; the page may have held it. */
  takeRecent(): NewDeliverable | undefined {
    assert.ok(this.#page.length === 0 && !this.#more, '[D-3] earlier messages wait')
    const next = this.#recent.shift()
    if (next !== undefined) this.#recentBytes -= next.push.bytes.length
    return next
  }

  /** A message was deleted: it is not in a page that is being read either [D-8]. */
  recall(id: number) {
    this.drop(({ message }) => message.id === id)
  }

  /** A message has a new text. A page that is being read may hold the former one, and is read again [D-13]. */
  edit(revision: Revision) {
    this.discardRead()
    const isEdited = ({ message }: Deliverable) => message.id === revision.id
    this.#page = this.#page.map((one) => (isEdited(one) ? revised(one, revision) : one))
    if (this.#recent.some(isEdited))
      this.#keepRecent(
        this.#recent.map((one) =>
          isEdited(one) ? newDeliverable(one.conversation, revised(one, revision).message) : one,
        ),
      )
  }

  /** Messages need not be pushed any more, also those of a page that is being read: nobody would acknowledge them again. */
  drop(isGone: (deliverable: Deliverable) => boolean) {
    if (this.#isReading) this.#gone.push(isGone)
    if (this.#page.length > 0) this.#page = this.#page.filter((deliverable) => !isGone(deliverable))
    if (this.#recent.length > 0) this.#keepRecent(this.#recent.filter((deliverable) => !isGone(deliverable)))
  }

  #keepRecent(kept: NewDeliverable[]) {
    this.#recent = kept
    this.#recentBytes = kept.reduce((sum, { push }) => sum + push.bytes.length, 0)
  }
}

/** How many messages are kept in memory: at least one. */
function fittingInMemory(found: readonly Deliverable[]): number {
  let bytes = 0
  const tooMany = found.findIndex(({ message }) => {
    bytes += Buffer.byteLength(message.text)
    return bytes > MAX_BYTES
  })
  return tooMany === -1 ? found.length : Math.max(1, tooMany)
}

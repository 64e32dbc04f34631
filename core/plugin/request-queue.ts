import type { RequestSession } from '../session/requests.ts'

/** Load of the database. Core knows no SQL: the code that opens the database passes this to the server. */
export interface DatabaseLoad {
  /** How many more statements can be asked for before others wait noticeably long. Negative when too many wait. */
  room(): number
  /** Calls back whenever a statement has been given its connection, or has waited for one in vain. */
  onProgress(callback: () => void): void
}

/** A database that is never loaded. */
export const IDLE_DATABASE: DatabaseLoad = { room: () => Number.POSITIVE_INFINITY, onProgress() {} }

/** Requests that run however busy the database is: what does not queue here must not keep out what does. */
const AT_LEAST = 2

/** A request that has not been started. */
type Start = () => void

/**
 * Starts requests in a fair order: few of one user are in flight, users take turns, and hardly any request starts while
 * the database is busy. So a burst of one user waits here, where it delays only that user, and not in the queue of the
 * database, where it would delay everyone.
 */
export class RequestQueue {
  readonly #atOnce: number
  readonly #database: DatabaseLoad
  /** Requests that run, by user. */
  readonly #running = new Map<string, number>()
  #runningInAll = 0
  /** Requests that wait, by user; the user whose turn is next comes first. */
  readonly #waiting = new Map<string, Start[]>()
  /** Whether a user waits for room in the database, and not only for an own request to end. */
  #isShort = false
  /** Started in this turn of the event loop: their statements have not reached the database yet. */
  #startedNow = 0
  #isScheduled = false

  /** @param atOnce requests of one user that may run at once */
  constructor(atOnce: number, database: DatabaseLoad) {
    this.#atOnce = atOnce
    this.#database = database
    database.onProgress(() => this.#continue())
  }

  get load(): { readonly running: number; readonly waiting: number } {
    let waiting = 0
    for (const starts of this.#waiting.values()) waiting += starts.length
    return { running: this.#runningInAll, waiting }
  }

  /** Whether a request of that user may start now. If so it counts as running until `ended`; otherwise it must queue. */
  tryStart(user: string): boolean {
    if (this.#waiting.has(user) || !this.#mayStart(user)) return false
    // Room that others wait for is theirs.
    this.#isShort ||= !this.#hasRoom()
    if (this.#isShort) return false
    this.#started(user)
    return true
  }

  /** Calls `start` when the user's turn has come. The request counts as running from then until `ended`. */
  enqueue(user: string, start: Start) {
    const starts = this.#waiting.get(user)
    if (starts === undefined) this.#waiting.set(user, [start])
    else starts.push(start)
    this.#continue()
  }

  /** A request of that user has been answered. */
  ended(user: string) {
    this.#runningInAll--
    const left = (this.#running.get(user) ?? 0) - 1
    if (left > 0) this.#running.set(user, left)
    else this.#running.delete(user)
    this.#continue()
  }

  #mayStart(user: string): boolean {
    return (this.#running.get(user) ?? 0) < this.#atOnce
  }

  #hasRoom(): boolean {
    return this.#runningInAll < AT_LEAST || this.#database.room() > this.#startedNow
  }

  #started(user: string) {
    this.#runningInAll++
    this.#running.set(user, (this.#running.get(user) ?? 0) + 1)
    if (this.#startedNow++ === 0)
      setImmediate(() => {
        this.#startedNow = 0
        this.#continue()
      })
  }

  /** Runs in a separate turn: a started request may end, or queue another, synchronously. */
  #continue() {
    if (this.#isScheduled || this.#waiting.size === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#startWaiting()
    })
  }

  /** Gives each waiting user one start, again and again, as long as there is room. */
  #startWaiting() {
    // A user who is put back comes to the end of the map, and so to the end of this very loop.
    for (const [user, starts] of this.#waiting) {
      if (!this.#mayStart(user)) continue
      this.#isShort = !this.#hasRoom()
      if (this.#isShort) return
      this.#waiting.delete(user)
      const start = starts.shift() as Start
      if (starts.length > 0) this.#waiting.set(user, starts)
      this.#started(user)
      start()
    }
    this.#isShort = false
  }
}

/** Whose request it is, for the fair queue: before a login the peer's network stands for the user. */
export function userOf({ user, isOperator, id, network }: RequestSession): string {
  if (isOperator) return `operator ${id}`
  return user === undefined ? network : `user ${user.id}`
}

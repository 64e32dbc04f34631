import type { Push, UserSession } from '../../core/index.ts'
import type { Deliverable } from './deliverable.ts'
import { OnNewMessage } from './messages.ts'
import { fitting, MAX_PAGE } from './page.ts'

/** Unread messages read from the database at once: few at first, more while all of them can be kept. */
const [FIRST_READ_AHEAD, LAST_READ_AHEAD] = [50, 400]
/** What a session keeps in memory of messages that it has no room for yet, in bytes of text or of packets. */
const KEPT_BYTES = 128 * 1024

/** A message with its push, encoded once for all sessions. */
interface Pushable {
  readonly deliverable: Deliverable
  readonly push: Push
}

export interface DeliveryOptions {
  readonly load: LoadUnread
  /** The highest id of a message of which `stored` was told, or is just being told, whoever it was for. */
  readonly horizon: () => number
  /** Messages out without an acknowledgement, at most. */
  readonly window: number
  /** Only messages above this id. */
  readonly after: number
  /** Whether the session asked for this one. */
  readonly wants?: (deliverable: Deliverable) => boolean
  /** Nothing could be read. `failures`: how often in a row. `catchUp` tries again. */
  readonly onError: (error: unknown, failures: number) => void
  /** Each message is acknowledged by itself, with `forget`, not a conversation up to an id. */
  readonly individually?: boolean
  /** Told of each message that was pushed. */
  readonly onPushed?: (id: number) => void
  /** Told of each message that nobody has to acknowledge any more. */
  readonly onForgotten?: (id: number) => void
}

/** The conversation of a message that is acknowledged by itself. */
export const eventKey = (id: number) => `event ${id}`

/**
 * Where a session gets what is not in memory: unread messages above an id, oldest first, at most `limit`, and whether
 * there may be more behind them.
 */
export type LoadUnread = (after: number, limit: number) => Promise<{ found: Deliverable[]; more: boolean }>

/**
 * Pushes to one session: everything unread from the database, then new messages as they are stored. At most `window`
 * messages are out without an acknowledgement, and none leave while the peer reads too slowly: those stay in the
 * database and follow later, so a slow reader costs no memory and loses nothing.
 */
export class Delivery {
  readonly #session: UserSession
  readonly #load: LoadUnread
  readonly #horizon: () => number
  readonly #window: number
  readonly #after: number
  readonly #wants: (deliverable: Deliverable) => boolean
  readonly #onError: (error: unknown, failures: number) => void
  readonly #individually: boolean
  readonly #onPushed: (id: number) => void
  readonly #onForgotten: (id: number) => void
  /** Pushed and not acknowledged, by conversation; ids ascending. */
  readonly #unacknowledged = new Map<string, number[]>()
  #inFlight = 0
  #pushedUpTo: number
  /** True while there is something unread that was not pushed. */
  #behind = true
  /** Read from the database and not yet pushed, oldest first. */
  #ahead: Deliverable[] = []
  /** True while the database may hold more unread than is kept here. */
  #more = true
  /** Stored since the database was last asked, which may know them or not. What does not fit in here is `more`. */
  #meanwhile: Pushable[] = []
  #meanwhileBytes = 0
  #catchingUp = false
  /** Something has changed while catching up: there may be room, or more. */
  #again = false
  #stopped = false
  /** Grows with each restart: a page that was asked for before it is discarded. */
  #epoch = 0
  #readAheadBy = FIRST_READ_AHEAD
  /** Reads from the database that failed since the last one that did not. */
  #failures = 0
  /** Deleted since the database was last asked: what it says of them is of yesterday. */
  readonly #forgotten = new Set<number>()

  constructor(session: UserSession, options: DeliveryOptions) {
    const { load, horizon, window, after, wants = () => true, onError } = options
    this.#session = session
    this.#load = load
    this.#horizon = horizon
    this.#window = window
    this.#after = after
    this.#pushedUpTo = after
    this.#wants = wants
    this.#onError = onError
    this.#individually = options.individually ?? false
    this.#onPushed = options.onPushed ?? (() => {})
    this.#onForgotten = options.onForgotten ?? (() => {})
  }

  /** A message has just been stored. `push`: it, encoded once for all sessions. */
  stored(deliverable: Deliverable, push: Push) {
    if (!this.#wants(deliverable)) return
    if (!this.#behind && this.#room() > 0) return this.#pushOne(deliverable, push)
    this.#behind = true
    this.#again = true
    if (this.#meanwhile.length < this.#window && this.#meanwhileBytes + push.bytes.length <= KEPT_BYTES) {
      this.#meanwhile.push({ deliverable, push })
      this.#meanwhileBytes += push.bytes.length
    } else this.#more = true
  }

  /** A conversation was acknowledged up to an id, on whichever session of the user. */
  acknowledged(conversation: string, upTo: number) {
    this.#drop((other) => this.#keyOf(other) === conversation && other.message.id <= upTo)
    const ids = this.#unacknowledged.get(conversation)
    if (ids === undefined) return
    let read = 0
    while (read < ids.length && (ids[read] as number) <= upTo) read++
    this.#settle(conversation, ids, ids.slice(read))
  }

  /** The user may not read a conversation any more: what is being read of it this moment is not pushed. */
  left(conversation: string) {
    this.#drop((other) => other.conversation === conversation)
    this.acknowledged(conversation, Number.MAX_SAFE_INTEGER)
    if (!this.#catchingUp) return
    this.#epoch++
    this.#more = true
    this.#again = true
  }

  /** A message was deleted: it is not pushed any more, and nobody will acknowledge it. */
  forget(conversation: string, id: number) {
    if (this.#catchingUp) this.#forgotten.add(id)
    this.#drop(({ message }) => message.id === id)
    this.#onForgotten(id)
    const key = this.#individually ? eventKey(id) : conversation
    const ids = this.#unacknowledged.get(key)
    if (ids === undefined) return
    this.#settle(
      key,
      ids,
      ids.filter((other) => other !== id),
    )
  }

  /** What is unread may hold something that was not pushed in its turn: begins anew. The client drops what it has. */
  restart() {
    this.#unacknowledged.clear()
    this.#inFlight = 0
    this.#pushedUpTo = this.#after
    this.#ahead = []
    this.#forgetMeanwhile()
    this.#epoch++
    this.#behind = true
    this.#more = true
    this.catchUp()
  }

  /** True when something else is pushed to the session, or nothing. */
  get stopped(): boolean {
    return this.#stopped || !this.#session.open
  }

  /** Something else is pushed to the session from now on. */
  stop() {
    this.#stopped = true
  }

  /** Pushes what is behind while there is room. Called again when there is new room. */
  catchUp() {
    if (!this.#behind) return
    this.#again = true
    if (this.#catchingUp) return
    this.#catchingUp = true
    this.#fill().catch((error) => this.#onError(error, this.#failures))
  }

  async #fill() {
    try {
      while (this.#again && this.#session.open && !this.#stopped) {
        this.#again = false
        if (this.#ahead.length === 0 && this.#more && !(await this.#readAhead())) continue
        if (this.#pushAhead() && !this.#more) this.#behind = !this.#pushMeanwhile()
        else if (this.#room() > 0) this.#again = true
      }
    } finally {
      // In the same turn as the last look at `again`: a wake-up after this one starts anew.
      this.#catchingUp = false
    }
  }

  /** False when it was all begun anew while the database answered. */
  async #readAhead(): Promise<boolean> {
    if (this.#room() === 0) return true
    this.#forgotten.clear()
    this.#forgetMeanwhile()
    this.#more = false
    const epoch = this.#epoch
    // What is above this comes through `stored`, in its turn: the database may show a later one before an earlier one.
    const upTo = this.#horizon()
    const page = await this.#page()
    if (epoch !== this.#epoch) return false
    const { found: loaded, more } = page
    const found = loaded.filter(({ message }) => message.id <= upTo)
    let bytes = 0
    const fits = found.findIndex(({ message }) => {
      bytes += message.text.length
      return bytes > KEPT_BYTES
    })
    const kept = fits === -1 ? found : found.slice(0, Math.max(1, fits))
    // Long texts are not read again and again to be dropped.
    this.#readAheadBy = fits === -1 ? Math.min(this.#readAheadBy * 2, LAST_READ_AHEAD) : kept.length
    this.#more ||= more || kept.length < found.length
    this.#ahead = kept.filter(({ message }) => !this.#forgotten.has(message.id))
    return true
  }

  async #page() {
    try {
      const page = await this.#load(this.#pushedUpTo, this.#readAheadBy)
      this.#failures = 0
      return page
    } catch (error) {
      this.#failures++
      // What was stored meanwhile may have been dropped: all of it is in the database.
      this.#more = true
      throw error
    }
  }

  /** Pushes what was read, in as many packets as it takes. True when none of it is left. */
  #pushAhead(): boolean {
    while (this.#ahead.length > 0 && !this.#stopped) {
      const room = Math.min(this.#room(), MAX_PAGE)
      if (room === 0) return false
      const page = this.#ahead.slice(0, room)
      this.#push(this.#ahead.splice(0, fitting(page.map(({ message }) => message))))
    }
    return true
  }

  /** What was stored while the database was asked for the last of the rest. False when not all of it has room. */
  #pushMeanwhile(): boolean {
    for (const [index, { deliverable, push }] of this.#meanwhile.entries()) {
      if (deliverable.message.id <= this.#pushedUpTo) continue
      if (this.#room() === 0 || this.#stopped) {
        this.#keepMeanwhile(this.#meanwhile.slice(index))
        return false
      }
      this.#pushOne(deliverable, push)
    }
    this.#forgetMeanwhile()
    return true
  }

  #forgetMeanwhile() {
    this.#keepMeanwhile([])
  }

  #keepMeanwhile(kept: Pushable[]) {
    this.#meanwhile = kept
    this.#meanwhileBytes = kept.reduce((sum, { push }) => sum + push.bytes.length, 0)
  }

  #drop(isGone: (deliverable: Deliverable) => boolean) {
    if (this.#ahead.length > 0) this.#ahead = this.#ahead.filter((deliverable) => !isGone(deliverable))
    if (this.#meanwhile.length > 0)
      this.#keepMeanwhile(this.#meanwhile.filter(({ deliverable }) => !isGone(deliverable)))
  }

  #pushOne(deliverable: Deliverable, push: Push) {
    this.#session.push(push)
    this.#pushed(deliverable)
  }

  #push(found: readonly Deliverable[]) {
    this.#session.send(OnNewMessage, { messages: found.map(({ message }) => message) })
    for (const deliverable of found) this.#pushed(deliverable)
  }

  #pushed(deliverable: Deliverable) {
    const { id } = deliverable.message
    const conversation = this.#keyOf(deliverable)
    this.#pushedUpTo = Math.max(this.#pushedUpTo, id)
    this.#inFlight++
    const ids = this.#unacknowledged.get(conversation)
    if (ids === undefined) this.#unacknowledged.set(conversation, [id])
    else ids.push(id)
    this.#onPushed(id)
  }

  /** What is acknowledged together. */
  #keyOf({ conversation, message }: Deliverable): string {
    return this.#individually ? eventKey(message.id) : conversation
  }

  /** Of what is out in a conversation only this is left. */
  #settle(conversation: string, ids: readonly number[], left: number[]) {
    this.#inFlight -= ids.length - left.length
    if (left.length > 0) this.#unacknowledged.set(conversation, left)
    else this.#unacknowledged.delete(conversation)
    this.catchUp()
  }

  #room(): number {
    return this.#session.writable ? Math.max(0, this.#window - this.#inFlight) : 0
  }
}

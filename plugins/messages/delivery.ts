import { strict as assert } from 'node:assert'
import type { UserSession } from '../../core/index.ts'
import { Backlog } from './backlog.ts'
import type { Deliverable, NewDeliverable, Revision } from './deliverable.ts'
import { OnNewMessage } from './messages.ts'
import { OwnMessages, type OwnSource } from './own-messages.ts'
import { MAX_PAGE } from './page.ts'
import type { Page } from './sources.ts'
import { Window } from './window.ts'

/** Unread messages in one read of the database: few at first, more while all of them fit into memory. */
const [FIRST_READ, MAX_READ] = [50, 400]

export interface DeliveryOptions {
  readonly load: LoadUnread
  /** Highest id of a message, to any recipient, for which `stored` was or is about to be called. */
  readonly horizon: () => number
  /** Messages in flight at most. */
  readonly window: number
  /** Only messages above this id. */
  readonly after: number
  /** Whether the session asked for a message; all if left out. */
  readonly wants?: (deliverable: Deliverable) => boolean
  /**
   * The delivery has stopped at an error; `catchUp` tries again.
   * @param failures reads of the database that failed in a row
   */
  readonly onError: (error: unknown, failures: number) => void
  /** Messages that the user sends on other sessions; none if left out. */
  readonly own?: OwnSource
  /** True if each message is acknowledged by itself, with `forget`, instead of a conversation up to an id. */
  readonly individually?: boolean
  readonly onPushed?: (id: number) => void
  /** Called for each message that nobody has to acknowledge any more. */
  readonly onForgotten?: (id: number) => void
}

/** The acknowledgement key of a message that is acknowledged by itself. */
export const eventKey = (id: number) => `event ${id}`

/** Reads unread messages above an id, oldest first, at most `limit`. */
export type LoadUnread = (after: number, limit: number) => Promise<Page>

/**
 * Pushes to one session: the backlog of unread messages, then each new message when it is stored. Nothing is pushed while
 * the window is full [D-4] or the session under back-pressure [D-9]: messages stay in the database and follow later, so
 * that a slow reader costs bounded memory and loses nothing. docs/ARCHITECTURE.md lists the invariants.
 */
export class Delivery {
  readonly #session: UserSession
  readonly #options: DeliveryOptions
  readonly #window: Window
  readonly #backlog: Backlog
  readonly #individually: boolean
  readonly #own = new OwnMessages()
  /** The highest id that was pushed, or below which nothing is pushed. */
  #pushedUpTo: number
  /** Everything up to this id was read, and is in the backlog or was pushed. */
  #readTo = 0
  #readSize = FIRST_READ
  #failures = 0
  #isCatchingUp = false
  #isStopped = false
  /** Epoch of the backlog while the delivery is held. */
  #held: number | undefined

  constructor(session: UserSession, options: DeliveryOptions) {
    this.#session = session
    this.#options = options
    this.#window = new Window(options.window)
    this.#backlog = new Backlog(options.window)
    this.#individually = options.individually ?? false
    this.#pushedUpTo = options.after
  }

  /** Pushes nothing until `release`: the caller counts what is unread, which stands for the first read. */
  hold() {
    this.#held = this.#backlog.beginRead()
  }

  /** @param isEmpty nothing was unread when the hold began, so nothing needs to be read */
  release(isEmpty: boolean) {
    const epoch = this.#held as number
    this.#held = undefined
    if (isEmpty) this.#backlog.endRead(epoch, { found: [], more: false }, 0)
    else this.#backlog.failRead()
  }

  /** A message has just been stored. */
  stored(deliverable: NewDeliverable) {
    const { after, wants } = this.#options
    if (deliverable.message.id <= after || wants?.(deliverable) === false) return
    try {
      if (!this.#backlog.isEmpty || this.#room() === 0) this.#backlog.add(deliverable)
      else this.#pushOne(deliverable)
    } catch (error) {
      // [D-12] The request of the sender has succeeded.
      this.#options.onError(error, 0)
    }
  }

  get takesOwn(): boolean {
    return this.#options.own !== undefined
  }

  /** A message of the user was stored that another session has sent: not unread, so it takes no room in the window. */
  storedOwn(deliverable: NewDeliverable) {
    const { id } = deliverable.message
    if (id <= this.#options.after || !this.#options.own?.wants(deliverable)) return
    // The client reconnects, and catches up.
    if (!this.#own.add(id)) return this.#session.close('timed_out')
    try {
      if (this.#backlog.isEmpty && this.#session.writable) this.#pushOne(deliverable)
      else this.#backlog.add(deliverable)
    } catch (error) {
      this.#options.onError(error, 0)
    }
  }

  /** A conversation was acknowledged up to an id, on any session of the user. */
  acknowledged(conversation: string, upTo: number) {
    const isRead = (other: Deliverable) =>
      this.#keyOf(other) === conversation && other.message.id <= upTo && !this.#own.has(other.message.id)
    this.#backlog.drop(isRead)
    if (this.#window.acknowledge(conversation, upTo)) this.catchUp()
  }

  /** The user may not read a conversation any more [D-7]. */
  left(conversation: string) {
    this.#backlog.drop((other) => other.conversation === conversation)
    this.#backlog.discardRead()
    if (this.#window.acknowledge(conversation, Number.MAX_SAFE_INTEGER)) this.catchUp()
  }

  /** A message was deleted, or acknowledged by itself: it is not pushed any more [D-8]. */
  forget(conversation: string, id: number) {
    this.#backlog.recall(id)
    this.#own.delete(id)
    this.#options.onForgotten?.(id)
    if (this.#window.remove(this.#individually ? eventKey(id) : conversation, id)) this.catchUp()
  }

  /** A message has a new text, which it is pushed with from now on [D-13]. */
  edited(revision: Revision) {
    if (revision.id > this.#pushedUpTo) this.#backlog.edit(revision)
  }

  /** True if nothing is pushed any more: stopped, or the session has ended. */
  get stopped(): boolean {
    return this.#isStopped || !this.#session.open
  }

  stop() {
    this.#isStopped = true
  }

  /** Pushes the backlog while there is room. To be called whenever there may be room again. */
  catchUp() {
    if (this.#isCatchingUp || !this.#canPushBacklog()) return
    this.#isCatchingUp = true
    this.#pushBacklog().catch((error) => this.#options.onError(error, this.#failures))
  }

  async #pushBacklog() {
    try {
      while (this.#canPushBacklog()) {
        if (this.#backlog.needsRead) await this.#read()
        else this.#pushNext()
      }
    } finally {
      // In the same turn as the last check: a call of `catchUp` after it starts anew.
      this.#isCatchingUp = false
    }
  }

  #canPushBacklog(): boolean {
    return !this.stopped && this.#held === undefined && !this.#backlog.isEmpty && this.#room() > 0
  }

  async #read() {
    const epoch = this.#backlog.beginRead()
    // Before the read: the database may show a later message before an earlier one [D-6].
    const horizon = this.#options.horizon()
    let page: Page
    try {
      page = await this.#load()
      this.#failures = 0
    } catch (error) {
      this.#failures++
      this.#backlog.failRead()
      throw error
    }
    const read = this.#backlog.endRead(epoch, page, horizon)
    if (page.readTo !== undefined) {
      // A read that ended early has scanned as much as a request may.
      this.#session.charge(1)
      if (read?.isCut === false) this.#readTo = Math.min(page.readTo, horizon)
    }
    // Long texts are not read again and again to be dropped.
    if (read !== undefined) this.#readSize = read.isCut ? read.kept : Math.min(this.#readSize * 2, MAX_READ)
  }

  async #load(): Promise<Page> {
    const { load, own } = this.#options
    const ids = own === undefined ? [] : this.#own.above(this.#pushedUpTo, this.#readSize)
    const unread = await load(Math.max(this.#pushedUpTo, this.#readTo), this.#readSize)
    return own === undefined || ids.length === 0 ? unread : this.#own.addTo(unread, ids, own)
  }

  /** Pushes the next packet. */
  #pushNext() {
    const page = this.#backlog.takePage(Math.min(this.#room(), MAX_PAGE))
    if (page.length > 0) {
      for (const deliverable of page) this.#count(deliverable)
      this.#session.send(OnNewMessage, { messages: page.map(({ message }) => message) })
      return
    }
    const recent = this.#backlog.takeRecent()
    if (recent !== undefined && recent.message.id > this.#pushedUpTo) this.#pushOne(recent)
  }

  #pushOne(deliverable: NewDeliverable) {
    this.#count(deliverable)
    this.#session.push(deliverable.push)
  }

  /** Counts a message that is about to be pushed. */
  #count(deliverable: Deliverable) {
    const { id } = deliverable.message
    assert.ok(id > this.#pushedUpTo, '[D-3] a push with a lower id than an earlier one')
    this.#pushedUpTo = id
    // Nobody acknowledges an own message.
    if (!this.#own.delete(id)) this.#window.add(this.#keyOf(deliverable), id)
    this.#options.onPushed?.(id)
  }

  #keyOf({ conversation, message }: Deliverable): string {
    return this.#individually ? eventKey(message.id) : conversation
  }

  #room(): number {
    return this.#session.writable ? this.#window.room : 0
  }
}

import { encode, type UserSession, type ValuesOf } from '../../core/index.ts'
import { OnNewMessage } from './messages.ts'

export type WireMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

/** A message with what delivery needs to know of it. */
export interface Deliverable {
  /** What is acknowledged together: one sender's messages, or a group's. */
  readonly conversation: string
  readonly message: WireMessage
}

export interface DeliveryOptions {
  readonly load: LoadUnread
  /** Messages out without an acknowledgement, at most. */
  readonly window: number
  /** Whether the session asked for this one. */
  readonly wants: (deliverable: Deliverable) => boolean
  readonly onError: (error: unknown) => void
}

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
  readonly #window: number
  readonly #wants: (deliverable: Deliverable) => boolean
  readonly #onError: (error: unknown) => void
  /** Pushed and not acknowledged, by conversation; ids ascending. */
  readonly #unacknowledged = new Map<string, number[]>()
  #inFlight = 0
  #pushedUpTo = 0
  /** True while there may be messages in the database that were not pushed. */
  #behind = true
  #catchingUp = false
  #stopped = false
  /** Room was made, or more was stored than is kept here, while catching up. */
  #again = false
  /** Stored since the database was last asked: it may know them or not. At most a window of them is kept. */
  #meanwhile: { readonly deliverable: Deliverable; readonly bytes: Buffer }[] = []
  /** Begun anew since the database was last asked: what it was asked for lies behind the beginning. */
  #restarted = false
  /** Deleted since the database was last asked: what it says of them is of yesterday. */
  readonly #forgotten = new Set<number>()

  constructor(session: UserSession, { load, window, wants, onError }: DeliveryOptions) {
    this.#session = session
    this.#load = load
    this.#window = window
    this.#wants = wants
    this.#onError = onError
  }

  /** A message has just been stored. `bytes`: the push, encoded once for all sessions. */
  stored(deliverable: Deliverable, bytes: Buffer) {
    if (!this.#wants(deliverable)) return
    if (!this.#behind && this.#room() > 0) return this.#pushOne(deliverable, bytes)
    this.#behind = true
    if (this.#catchingUp && this.#meanwhile.length < this.#window) this.#meanwhile.push({ deliverable, bytes })
    else this.#again = true
  }

  /** A conversation was acknowledged up to an id, on whichever session of the user. */
  acknowledged(conversation: string, upTo: number) {
    const ids = this.#unacknowledged.get(conversation)
    if (ids === undefined) return
    let read = 0
    while (read < ids.length && (ids[read] as number) <= upTo) read++
    this.#settle(conversation, ids, ids.slice(read))
  }

  /** A message was deleted: it is not pushed any more, and nobody will acknowledge it. */
  forget(conversation: string, id: number) {
    if (this.#catchingUp) this.#forgotten.add(id)
    const ids = this.#unacknowledged.get(conversation)
    if (ids !== undefined)
      this.#settle(
        conversation,
        ids,
        ids.filter((other) => other !== id),
      )
  }

  /** What is unread may hold something that was not pushed in its turn: begins anew. The client drops what it has. */
  restart() {
    this.#unacknowledged.clear()
    this.#inFlight = 0
    this.#pushedUpTo = 0
    this.#restarted = true
    this.#behind = true
    this.catchUp()
  }

  /** Another delivery has taken over this session. */
  stop() {
    this.#stopped = true
  }

  /** Pushes from the database while there is room. Called again when there is new room. */
  catchUp() {
    if (!this.#behind) return
    this.#again = true
    if (this.#catchingUp) return
    this.#catchingUp = true
    this.#fill().catch(this.#onError)
  }

  async #fill() {
    try {
      while (this.#again && this.#session.open && !this.#stopped) {
        this.#again = false
        const room = this.#room()
        if (room === 0) return
        this.#forgotten.clear()
        this.#meanwhile = []
        this.#restarted = false
        const { found: loaded, more } = await this.#load(this.#pushedUpTo, room)
        if (this.#restarted) continue
        const found = loaded.filter(({ message }) => !this.#forgotten.has(message.id))
        if (found.length > 0 && !this.#stopped) this.#push(found)
        if (more) this.#again = true
        else if (!this.#again) this.#behind = !this.#pushMeanwhile()
      }
    } finally {
      // In the same turn as the last look at `again`: a wake-up after this one starts anew.
      this.#catchingUp = false
    }
  }

  /** What was stored while the database was asked for the last of the rest. False when not all of it has room. */
  #pushMeanwhile(): boolean {
    for (const { deliverable, bytes } of this.#meanwhile) {
      const { id } = deliverable.message
      if (id <= this.#pushedUpTo || this.#forgotten.has(id)) continue
      if (this.#room() === 0 || this.#stopped) return false
      this.#pushOne(deliverable, bytes)
    }
    return true
  }

  #pushOne(deliverable: Deliverable, bytes: Buffer) {
    this.#session.sendEncoded(bytes)
    this.#pushed(deliverable)
  }

  #push(found: readonly Deliverable[]) {
    this.#session.sendEncoded(encode(OnNewMessage, 0, { messages: found.map(({ message }) => message) }))
    for (const deliverable of found) this.#pushed(deliverable)
  }

  #pushed({ conversation, message: { id } }: Deliverable) {
    this.#pushedUpTo = Math.max(this.#pushedUpTo, id)
    this.#inFlight++
    const ids = this.#unacknowledged.get(conversation)
    if (ids === undefined) this.#unacknowledged.set(conversation, [id])
    else ids.push(id)
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

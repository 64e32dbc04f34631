import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type App, retryPause, SessionDrained, type UserSession } from '../../core/index.ts'
import { isUnavailable } from '../../db/index.ts'
import { type NewDeliverable, newDeliverable, type Revision, type WireMessage } from './deliverable.ts'
import { Delivery, type DeliveryOptions } from './delivery.ts'

/**
 * Sessions that get new messages in one turn of the event loop: some 10 ms, as requests have. A lower number would cost more
 * than it gives: what a session gets in one turn is encrypted and written once.
 */
const SESSIONS_PER_TURN = 10_000

/** Set by a delivery's owner; the rest is the same for all. */
export type DeliveryRequest = Omit<DeliveryOptions, 'horizon' | 'window' | 'onError'>

export interface DeliveriesParts extends Pick<DeliveryOptions, 'window' | 'horizon'> {
  readonly app: App
  readonly log: Logger
}

/** The deliveries of all sessions, and the fan-out of a stored message to those of its recipients. */
export class Deliveries {
  readonly #app: App
  readonly #log: Logger
  readonly #window: number
  readonly #horizon: () => number
  readonly #byUser = new Map<number, Map<UserSession, Delivery>>()
  /** Sessions that fan-outs have reached since the start. */
  fannedOut = 0
  /** Sessions of fan-outs since the last pause. */
  #reached = 0
  /** Sessions whose end this waits for. */
  readonly #known = new WeakSet<UserSession>()
  /** Deliveries that push own messages: without one, sending costs no look-up of the sender's sessions. */
  #withOwn = 0

  constructor({ app, log, window, horizon }: DeliveriesParts) {
    this.#app = app
    this.#log = log
    this.#window = window
    this.#horizon = horizon
    app.on(SessionDrained, (session) => this.#find(session)?.catchUp())
  }

  /** Replaces the delivery of a session. The new one pushes nothing before its first `catchUp`. */
  begin(session: UserSession, request: DeliveryRequest): Delivery {
    this.#find(session)?.stop()
    const delivery = new Delivery(session, {
      ...request,
      horizon: this.#horizon,
      window: this.#window,
      onError: (error, failures) => this.#cannotDeliver(session, error, failures),
    })
    const { id } = session.user
    const ofUser = this.#byUser.get(id) ?? new Map<UserSession, Delivery>()
    this.#countOwn(ofUser.get(session), delivery)
    this.#byUser.set(id, ofUser.set(session, delivery))
    this.#deleteOnceClosed(session)
    return delivery
  }

  /** Whether a session of a user has a delivery. */
  hasAny(userId: number): boolean {
    return this.#byUser.has(userId)
  }

  /** Whether a session has a delivery. */
  has(session: UserSession): boolean {
    return this.#find(session) !== undefined
  }

  /** Stops a delivery; one that has replaced it stays. */
  end(session: UserSession, delivery: Delivery) {
    delivery.stop()
    if (this.#find(session) === delivery) this.#delete(session)
  }

  /** Pushes a message that was just stored, encoded once for all sessions. */
  fanOut(conversation: string, message: WireMessage, recipients: readonly number[], except: number | undefined) {
    let deliverable: NewDeliverable | undefined
    for (const userId of recipients) {
      const deliveries = userId === except ? undefined : this.#byUser.get(userId)
      if (deliveries === undefined) continue
      deliverable ??= newDeliverable(conversation, message)
      this.#reached += deliveries.size
      this.fannedOut += deliveries.size
      for (const delivery of deliveries.values()) delivery.stored(deliverable)
    }
  }

  /** True if some session gets the own messages of its user. */
  get isOwnWanted(): boolean {
    return this.#withOwn > 0
  }

  /** Pushes a message to the sessions of its sender. @param except the session that sent it */
  fanOutOwn(conversation: string, message: WireMessage, senderId: number, except: UserSession | undefined) {
    let deliverable: NewDeliverable | undefined
    for (const [session, delivery] of this.#byUser.get(senderId) ?? []) {
      if (session === except || !delivery.takesOwn) continue
      deliverable ??= newDeliverable(conversation, message)
      delivery.storedOwn(deliverable)
    }
  }

  /**
   * What the next fan-out waits for: a turn for others when the last ones have reached many sessions. One message is not
   * divided, so that all its recipients get it before anything else happens to them.
   */
  pause(): Promise<void> | undefined {
    if (this.#reached < SESSIONS_PER_TURN) return undefined
    this.#reached = 0
    return nextTurn()
  }

  /** A user has acknowledged a conversation up to an id: the windows of the user's sessions free up. */
  acknowledged(userId: number, conversation: string, upTo: number) {
    for (const delivery of this.#of(userId)) delivery.acknowledged(conversation, upTo)
  }

  /** A user may not read a conversation any more, and cannot acknowledge its messages in flight. */
  left(userId: number, conversation: string) {
    for (const delivery of this.#of(userId)) delivery.left(conversation)
  }

  /** Nobody may read a conversation any more. */
  ended(conversation: string) {
    for (const deliveries of this.#byUser.values())
      for (const delivery of deliveries.values()) delivery.left(conversation)
  }

  /** A message was deleted. */
  forget(userId: number, conversation: string, id: number) {
    for (const delivery of this.#of(userId)) delivery.forget(conversation, id)
  }

  /** A message has a new text. */
  edited(userId: number, revision: Revision) {
    for (const delivery of this.#of(userId)) delivery.edited(revision)
  }

  /** While the database is not available the delivery tries again; any other error ends the session. */
  #cannotDeliver(session: UserSession, error: unknown, failures: number) {
    const isTransient = isUnavailable(error)
    if (failures <= 1 || !isTransient) this.#log.error({ err: error, session: session.id }, 'cannot deliver messages')
    if (!isTransient) return session.close('internal')
    // Also safe for a delivery that has replaced this one.
    this.#app.clock.after(retryPause(failures), () => this.#find(session)?.catchUp()).unref()
  }

  #find(session: UserSession): Delivery | undefined {
    return this.#byUser.get(session.user.id)?.get(session)
  }

  #deleteOnceClosed(session: UserSession) {
    if (this.#known.has(session)) return
    this.#known.add(session)
    void session.closed.then(() => {
      // A delivery may begin after the end: the next one waits for it again.
      this.#known.delete(session)
      this.#delete(session)
    })
  }

  #delete(session: UserSession) {
    const { id } = session.user
    const ofUser = this.#byUser.get(id)
    this.#countOwn(ofUser?.get(session), undefined)
    ofUser?.delete(session)
    if (ofUser?.size === 0) this.#byUser.delete(id)
  }

  #countOwn(before: Delivery | undefined, after: Delivery | undefined) {
    this.#withOwn += Number(after?.takesOwn ?? false) - Number(before?.takesOwn ?? false)
  }

  #of(userId: number): Iterable<Delivery> {
    return this.#byUser.get(userId)?.values() ?? []
  }
}

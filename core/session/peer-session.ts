import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { Refused } from '../errors.ts'
import type { Limits } from '../limits.ts'
import {
  type ClientMessage,
  type FailureName,
  type Frame,
  type InputOf,
  type ReplyOf,
  readRef,
  type ServerMessage,
} from '../wire/index.ts'
import { networkOf } from './address.ts'
import { DETACHED, REMOTE } from './detached.ts'
import { LocalRequests } from './local-requests.ts'
import { Push } from './push.ts'
import type { Replies, RequestSession, Requests } from './requests.ts'
import type { RequestOptions, Session, UserSession } from './session.ts'
import type { Rates } from './sessions.ts'
import type { RemoteSession, Transport, TransportSession } from './transport.ts'
import type { User } from './user.ts'

/** The server as its sessions see it. */
export interface SessionHost {
  readonly limits: Limits
  readonly log: Logger
  readonly clock: Clock
  readonly requests: Requests
  /** Adds to the user's sessions. @throws Refused `too_many_sessions` */
  loggedIn(session: PeerSession & UserSession): Rates
  /** The rates of a user, which may be offline. */
  ratesOf(user: User): Rates
  drained(session: UserSession): void
  /** Called for each message sent, push or reply. */
  sent(session: Session, message: ServerMessage, values: unknown): void
  closed(session: PeerSession): void
}

export interface Origin {
  /** The peer's, without port. */
  readonly address: string
  readonly isOperator?: boolean
}

/** connecting: the transport's handshake; anonymous: no login yet; attached: a user's; closing: nothing is handled. */
type State = 'connecting' | 'anonymous' | 'attached' | 'closing'

let lastId = 0

/** One session, over any transport: user, rates, requests in flight, back-pressure, deadline of the login. */
export class PeerSession implements TransportSession, RequestSession {
  readonly id = ++lastId
  readonly address: string
  readonly network: string
  readonly isOperator: boolean
  readonly closed: Promise<void>
  readonly #host: SessionHost
  readonly #transport: Transport
  readonly #local: LocalRequests
  #resolveClosed: () => void = () => {}
  #state: State = 'connecting'
  #binding: Buffer | undefined
  #user: User | undefined
  #rates: Rates | undefined
  #deadline: Timer | undefined
  #messagesBeforeLogin = 0
  #partsBeforeLogin = 0
  #inFlight = 0
  /** False after `writable` returned false, until the session has drained. */
  #wasWritable = true
  #gone = false

  constructor(host: SessionHost, transport: Transport, { address, isOperator = false }: Origin) {
    this.#host = host
    this.#transport = transport
    this.address = address
    this.network = networkOf(address)
    this.isOperator = isOperator
    this.#local = new LocalRequests(this, host)
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  /**
   * A detached session, for work on behalf of a user. It does not count for presence.
   * @param address of a peer that makes its requests, which count against the user's rate; the server's own do not
   */
  static detached(host: SessionHost, user: User, address?: string): RemoteSession {
    const session = new PeerSession(host, address === undefined ? DETACHED : REMOTE, { address: address ?? 'server' })
    session.#user = user
    if (address !== undefined) session.#rates = host.ratesOf(user)
    session.#state = 'attached'
    // Without a peer a push is not sent, and is no event; and nothing is kept of the session, which has no end.
    session.#gone = true
    session.#resolveClosed()
    return session as PeerSession & UserSession
  }

  get user(): User | undefined {
    return this.#user
  }

  get open(): boolean {
    return this.#state === 'anonymous' || this.#state === 'attached'
  }

  get channelBinding(): Buffer {
    // Without a handshake both ends share nothing: the login is bound to this session.
    this.#binding ??= randomBytes(32)
    return this.#binding
  }

  get writable(): boolean {
    const writable = this.open && this.#transport.queued < this.#host.limits.outboundSoft
    this.#wasWritable &&= writable
    return writable
  }

  /** Bytes that the peer has not taken. */
  get queued(): number {
    return this.#transport.queued
  }

  /** Requests whose handlers have not answered. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** How far it has come before its login: 0 connected, 1 handshake done, 2 has sent a message. */
  get progress(): number {
    if (this.#state === 'connecting') return 0
    return this.#messagesBeforeLogin === 0 ? 1 : 2
  }

  /** Reads from the peer from now on. */
  start() {
    const { clock, limits } = this.#host
    if (!this.#transport.hasHandshake) this.established()
    else if (this.#state === 'connecting') this.#deadline = clock.after(limits.handshake, () => this.close('timed_out'))
    this.#transport.start(this)
  }

  established(binding?: Buffer) {
    // A session that was closed during its handshake stays closed.
    if (this.#state !== 'connecting') return
    this.#deadline?.cancel()
    this.#binding = binding
    this.#state = 'anonymous'
    if (!this.isOperator)
      this.#deadline = this.#host.clock.after(this.#host.limits.login, () => this.close('timed_out'))
  }

  send<M extends ServerMessage>(message: M, values: InputOf<M>) {
    this.push(new Push(message, values))
  }

  push(push: Push) {
    if (this.#gone) return
    this.#transport.push(push)
    this.#host.sent(this, push.message, push.values)
  }

  request<M extends ClientMessage>(message: M, values: InputOf<M>, options: RequestOptions = {}): Promise<ReplyOf<M>> {
    return this.#local.request(message, values, { rated: options.rated ?? true, fromPeer: false })
  }

  receive<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    return this.#local.request(message, values, { rated: true, fromPeer: true })
  }

  replied(message: ServerMessage, values: unknown) {
    this.#host.sent(this, message, values)
  }

  charge(tokens: number) {
    this.#rates?.requests.take(this.#host.clock.now(), tokens)
  }

  login(user: User): UserSession {
    if (!this.open || this.#user !== undefined) throw new Refused('not_allowed')
    this.#user = user
    const session = this as PeerSession & UserSession
    try {
      this.#rates = this.#host.loggedIn(session)
    } catch (error) {
      this.#user = undefined
      throw error
    }
    this.#state = 'attached'
    this.#deadline?.cancel()
    this.#transport.loggedIn?.()
    return session
  }

  close(reason: FailureName) {
    if (this.#state === 'closing') return
    const wasConnecting = this.#state === 'connecting'
    this.#state = 'closing'
    this.#deadline?.cancel()
    if (wasConnecting) return this.#transport.end(reason)
    // After the reply that this turn may still queue.
    setImmediate(() => {
      if (this.#gone) return
      this.#local.fail(reason)
      this.#transport.end(reason)
    })
  }

  accept(frame: Frame, waited: boolean, replies: Replies): Promise<void> | number | undefined {
    if (this.#state === 'closing') return undefined
    try {
      const wait = waited ? 0 : this.admit(frame.type, frame.end - frame.format)
      if (wait > 0) return wait
    } catch (error) {
      this.#host.requests.refused(frame.type, error as Refused)
      if (this.open) replies.refuse(readRef(frame), error as Refused)
      return undefined
    }
    try {
      return this.#host.requests
        .dispatch(this, frame, replies)
        ?.catch((error: unknown) => this.dispatchFailed(frame.type, error))
    } catch (error) {
      this.dispatchFailed(frame.type, error)
      return undefined
    }
  }

  /**
   * Counts a message of the peer; returns the milliseconds until it may be handled.
   * @throws Refused `rate_limited`; `login_required` once too many came before the login, and the session closes
   */
  admit(type: number, bytes: number): number {
    if (this.#user !== undefined || this.isOperator) return this.rate(type, bytes)
    if (++this.#messagesBeforeLogin <= this.#host.limits.messagesBeforeLogin) return 0
    this.close('login_required')
    throw new Refused('login_required')
  }

  /** Counts a message against the user's rates; returns the milliseconds to wait. @throws Refused `rate_limited` */
  rate(type: number, bytes: number): number {
    const { clock, limits, requests } = this.#host
    if (this.#rates === undefined) return 0
    return this.#rates.take(requests.ratingOf(type), bytes, clock.now(), limits.requestPause)
  }

  admitPart(): number {
    const { clock, limits } = this.#host
    if (this.#rates !== undefined) return this.#rates.take(false, 0, clock.now(), limits.requestPause)
    if (this.isOperator || ++this.#partsBeforeLogin <= limits.partsBeforeLogin) return 0
    this.close('login_required')
    throw new Refused('login_required')
  }

  /** A fault of the server: ends this session only. */
  dispatchFailed(type: number, error: unknown) {
    this.#host.log.error({ session: this.id, type, err: error }, 'dispatch failed')
    this.close('internal')
  }

  requestStarted() {
    this.#inFlight++
    if (this.#inFlight >= this.#host.limits.requestsInFlight) this.#transport.hold?.('requests')
  }

  requestEnded() {
    this.#inFlight--
    if (this.#inFlight === this.#host.limits.requestsInFlight - 1) this.#transport.release?.('requests')
  }

  /** Graceful shutdown: starts no further requests, lets those in flight finish. */
  stopAccepting() {
    this.#local.stopAccepting()
    this.#transport.hold?.('stopping')
  }

  watch(now: number) {
    this.#transport.watch?.(now)
  }

  drained() {
    if (this.#wasWritable || !this.writable) return
    this.#wasWritable = true
    if (this.#state === 'attached') this.#host.drained(this as UserSession)
  }

  gone() {
    if (this.#gone) return
    this.#gone = true
    this.#state = 'closing'
    this.#deadline?.cancel()
    this.#local.fail('logged_out')
    this.#host.closed(this)
    this.#resolveClosed()
  }
}

import { randomBytes } from 'node:crypto'
import type { Timer } from '../clock.ts'
import { Refused, toFailure } from '../errors.ts'
import { frameOf } from '../plugin/request-frame.ts'
import {
  type ClientMessage,
  type FailureName,
  type Frame,
  type InputOf,
  type ReplyOf,
  receive,
  type ServerMessage,
} from '../wire/index.ts'
import { networkOf } from './address.ts'
import type { Peer, PeerHost } from './peer.ts'
import type { Push } from './push.ts'
import type { User, UserSession } from './session.ts'
import type { Rates } from './sessions.ts'

/** The other side of a guest: made by a plugin, it speaks to the peer. */
export interface Translator {
  /** Bytes that the peer has not taken yet. From `limits.outboundSoft` on, pushes stay in the database. */
  readonly queued: number
  /** A push of the server. Replies go to their requests. */
  push(message: ServerMessage, values: Record<string, unknown>): void
  /** The session has ended: the stream is to be closed, after the last words. Called once. */
  end(reason: FailureName): void
  /** Called every second, with the clock's `now()`. */
  watch(now: number): void
}

export type GuestHost = PeerHost

interface Pending {
  resolve(values: unknown): void
  reject(refused: Refused): void
}

/**
 * A peer that speaks another protocol. A plugin translates what it says to native requests and native pushes to what it
 * understands; in between it is a session like any other, and every check, hook, limit and event is the native one.
 */
export class Guest implements Peer {
  readonly id: number
  readonly address: string
  readonly network: string
  readonly isOperator = false
  /** There was no handshake: a login is bound to this very guest. */
  readonly handshakeHash = randomBytes(32)
  readonly closed: Promise<void>
  readonly #host: GuestHost
  readonly #translator: Translator
  readonly #pending = new Map<number, Pending>()
  #forget: () => void = () => {}
  #lastRef = 0
  #open = true
  #stopping = false
  #gone = false
  #user: User | undefined
  #rates: Rates | undefined
  #inFlight = 0
  #wasWritable = true
  readonly #deadline: Timer

  constructor(host: GuestHost, translator: Translator, origin: { readonly id: number; readonly address: string }) {
    this.#host = host
    this.#translator = translator
    this.id = origin.id
    this.address = origin.address
    this.network = networkOf(origin.address)
    this.#deadline = host.clock.after(host.limits.login, () => this.close('timed_out'))
    this.closed = new Promise((resolve) => {
      this.#forget = resolve
    })
  }

  get user(): User | undefined {
    return this.#user
  }

  get open(): boolean {
    return this.#open
  }

  get writable(): boolean {
    const writable = this.#open && this.#translator.queued < this.#host.limits.outboundSoft
    this.#wasWritable &&= writable
    return writable
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** There is no handshake: it counts as over. */
  get progress(): number {
    return this.#lastRef === 0 ? 1 : 2
  }

  charge(tokens: number) {
    this.#rates?.requests.take(this.#host.clock.now(), tokens)
  }

  /**
   * Sends a native request for the peer; resolves with the reply. Waits where the user's request rate wants it.
   * @throws Refused, with the same reasons as a native client hears
   */
  async request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    const ref = ++this.#lastRef
    const frame = frameOf(message, ref, values)
    await this.#rate(frame)
    if (!this.#open) throw new Refused('logged_out')
    if (this.#stopping) throw new Refused('shutting_down')
    return new Promise((resolve, reject) => {
      this.#pending.set(ref, { resolve: resolve as Pending['resolve'], reject })
      const failed = (error: unknown) => {
        this.#host.log.error({ session: this.id, type: frame.type, err: error }, 'dispatch failed')
        this.close('internal')
      }
      try {
        this.#host.dispatch(this, frame)?.catch(failed)
      } catch (error) {
        failed(error)
      }
    })
  }

  /** The translator's queue is shorter now: pushes may go on. */
  drained() {
    if (this.#wasWritable || !this.writable) return
    this.#wasWritable = true
    if (this.#user !== undefined) this.#host.drained(this as UserSession)
  }

  /** The peer's stream has closed. */
  gone() {
    if (this.#gone) return
    this.#gone = true
    this.#open = false
    this.#deadline.cancel()
    this.#failPending('logged_out')
    this.#host.closed(this)
    this.#forget()
  }

  send<M extends ServerMessage>(message: M, values: InputOf<M>) {
    this.reply(message, 0, values)
  }

  push({ message, values }: Push) {
    this.reply(message, 0, values)
  }

  reply<M extends ServerMessage>(message: M, ref: number, values: InputOf<M>) {
    const { values: received } = receive(message, values)
    // Replies of a session that has just ended still pass.
    if (this.#gone) return
    if (ref === 0) this.#translator.push(message, received)
    else this.#take(ref)?.resolve(received)
    this.#host.sent(this, message, values)
  }

  refuse(ref: number, refused: Refused) {
    const { message, values } = toFailure(refused)
    this.#take(ref)?.reject(refused)
    this.#host.sent(this, message, values)
  }

  fail(ref: number, code: FailureName, text?: string) {
    this.refuse(ref, new Refused(code, text))
  }

  login(user: User): UserSession {
    if (!this.#open || this.#user !== undefined) throw new Refused('not_allowed')
    this.#user = user
    const session = this as Peer & UserSession
    try {
      this.#rates = this.#host.loggedIn(session)
    } catch (error) {
      this.#user = undefined
      throw error
    }
    this.#deadline.cancel()
    return session
  }

  close(reason: FailureName) {
    if (!this.#open) return
    this.#open = false
    this.#deadline.cancel()
    // After the reply that this turn may still bring.
    setImmediate(() => {
      this.#failPending(reason)
      this.#translator.end(reason)
    })
  }

  requestStarted() {
    this.#inFlight++
  }

  requestEnded() {
    this.#inFlight--
  }

  watch(now: number) {
    this.#translator.watch(now)
  }

  takeNoMore() {
    this.#stopping = true
  }

  async #rate(frame: Frame) {
    if (this.#rates === undefined) return
    const { clock, limits } = this.#host
    const wait = this.#rates.take(this.#host.isRated(frame), clock.now(), limits.requestPause)
    if (wait > 0) await new Promise<void>((resolve) => clock.after(wait, resolve).unref())
  }

  #take(ref: number): Pending | undefined {
    const pending = this.#pending.get(ref)
    this.#pending.delete(ref)
    return pending
  }

  #failPending(reason: FailureName) {
    for (const ref of [...this.#pending.keys()]) this.#take(ref)?.reject(new Refused(reason))
  }
}

import type { ClientMessage, FailureName, Frame, InputOf, ReplyOf, ServerMessage } from '../wire/index.ts'
import type { Push } from './push.ts'
import type { Replies } from './requests.ts'
import type { Session, UserSession } from './session.ts'

/** A session as its transport sees it. */
export interface TransportSession extends Session {
  /** The handshake is done: requests may come, unless the session has closed. @param binding what a login is bound to, see Session.channelBinding */
  established(binding: Buffer): void
  /**
   * Takes in a frame of the native protocol. A number of milliseconds makes it wait: it is to be offered again then, with
   * `waited` true. A promise makes the following frames wait. Transports of other protocols call `receive`.
   */
  accept(frame: Frame, waited: boolean, replies: Replies): Promise<void> | number | undefined
  /**
   * Takes in a request of the peer, with the rate, the turn in the queue and every other check of a native one; resolves
   * with the reply.
   * @throws Refused with the same reasons as for a native client; `logged_out` when the session closes meanwhile
   */
  receive<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>>
  /**
   * Counts input that costs work and completes no request, such as a record with a part of a message: after the login as a
   * ping. Returns the milliseconds until more may be handled.
   * @throws Refused `login_required` beyond `limits.partsBeforeLogin`, and the session closes
   */
  admitPart(): number
  /** A reply has been queued. */
  replied(message: ServerMessage, values: unknown): void
  /** The transport's queue is shorter: pushes may continue. */
  drained(): void
  /** The peer's stream has closed, and with it the session. Only `hold` and `release` may still be called. */
  gone(): void
}

/** A detached session of a peer whose requests come one by one, without a connection that stays, such as over HTTP. */
export interface RemoteSession extends UserSession, Pick<TransportSession, 'receive'> {}

/**
 * The way of one session to its peer: it turns bytes into requests and pushes into bytes. Rates, limits and
 * back-pressure are in the session, and what it takes in passes every check and hook: they are the same for each protocol.
 */
export interface Transport {
  /** Bytes that the peer has not taken. From `limits.outboundSoft` on, pushes stay in the database. */
  readonly queued: number
  /** True when requests may come only after a handshake, which ends with `established`, within `limits.handshake`. */
  readonly hasHandshake?: boolean
  /** Called once, when the server has taken the session in: read from the peer from now on. */
  start(session: TransportSession): void
  push(push: Push): void
  /** The session has closed: send the peer the reason, then close the stream. Called at most once. */
  end(reason: FailureName): void
  /** The session has its user. */
  loggedIn?(): void
  /** Stop reading requests until each reason for it has been released. */
  hold?(reason: string): void
  release?(reason: string): void
  /** Called every second, with the clock's `now()`: for deadlines of the transport's own. */
  watch?(now: number): void
}

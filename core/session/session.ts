import type { ClientMessage, FailureName, InputOf, ReplyOf, ServerMessage } from '../wire/index.ts'
import type { Push } from './push.ts'
import type { User } from './user.ts'

export interface RequestOptions {
  /** False for a part of another request, which has been rated: it takes nothing from the user's rate. True if left out. */
  readonly rated?: boolean
}

/** One connection, or a detached session, as plugins see it. */
export interface Session {
  /** Unique while the server runs. */
  readonly id: number
  /** The peer's address without port, `control` on the control socket, `server` for a detached session. */
  readonly address: string
  /** Key of the limits by address: the IPv4 address, or the IPv6 /64, which one host owns whole. */
  readonly network: string
  /** On the control socket: the operator of this host. */
  readonly isOperator: boolean
  readonly user: User | undefined
  /** 32 bytes that a login is bound to (RFC 5056): the hash of the Noise handshake, or random where there is none. */
  readonly channelBinding: Buffer
  /** False under back-pressure: leave pushes in the database until SessionDrained. */
  readonly writable: boolean
  /** False during the handshake, and from the moment the session begins to close. */
  readonly open: boolean
  /**
   * Resolves when the peer is gone and the session is no longer one of its user; for a detached session at once. Code that
   * keeps something of a session removes it then, also where it was added after the end.
   */
  readonly closed: Promise<void>
  /** Queues a push; everything queued in one event-loop turn leaves in one write. Does nothing once the stream has closed; while closing, a push may be dropped. */
  send<M extends ServerMessage>(message: M, values: InputOf<M>): void
  /** The same with a push that goes to several sessions. */
  push(push: Push): void
  /**
   * Carries out a request of the server's own in this session: rate, permission, hooks, handler, listeners. It does not
   * queue, so a handler may wait for it; it may wait for the rate. The values are checked, not encoded.
   * @throws Refused with the reason that the peer would get
   */
  request<M extends ClientMessage>(message: M, values: InputOf<M>, options?: RequestOptions): Promise<ReplyOf<M>>
  /**
   * Makes this the session of `user`.
   * @throws Refused `too_many_sessions`
   */
  login(user: User): UserSession
  /**
   * Takes tokens of the user's request rate, of which each request takes one: for a request that costs as much as many
   * others. A missing token is owed, and later requests wait for it.
   */
  charge(tokens: number): void
  /** Tells the peer why, sends what is queued, closes. */
  close(reason: FailureName): void
}

export interface UserSession extends Session {
  readonly user: User
}

import type { FailureName, InputOf, ServerMessage } from '../wire/index.ts'
import type { Push } from './push.ts'

export const ROLES = ['user', 'bot', 'admin'] as const
export type Role = (typeof ROLES)[number]

export interface User {
  readonly id: number
  readonly name: string
  readonly nickname: string
  readonly role: Role
}

/** What a plugin sees of a connection after the handshake. */
export interface Session {
  /** Unique while the server runs. */
  readonly id: number
  /** The peer's address without port, `control` for the control socket. */
  readonly address: string
  /** What limits count by: the address itself, or its IPv6 /64, of which one host has every address. */
  readonly network: string
  /** On the control socket: the operator of this host. */
  readonly isOperator: boolean
  readonly user: User | undefined
  /** The Noise handshake hash, 32 bytes: what a login is bound to. */
  readonly handshakeHash: Buffer
  /** False while the peer has too much unread: leave pushes in the database until SessionDrained. */
  readonly writable: boolean
  /** False from the moment the connection begins to close. */
  readonly open: boolean
  /** Queues a push; everything queued in one event-loop turn leaves in one write. Does nothing once closed. */
  send<M extends ServerMessage>(message: M, values: InputOf<M>): void
  /** The same with a push that goes to several sessions. */
  push(push: Push): void
  /**
   * Makes this the session of `user`.
   * @throws Refused `too_many_sessions`
   */
  login(user: User): UserSession
  /**
   * Takes tokens of the user's request rate, of which each request takes one: for a request that costs as much as many
   * others. What the user has not got is owed, and later requests wait for it.
   */
  charge(tokens: number): void
  /** Tells the peer why, sends what is queued, closes. */
  close(reason: FailureName): void
}

export interface UserSession extends Session {
  readonly user: User
}

import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { Refused } from '../errors.ts'
import type { RunQueue } from '../flow/run-queue.ts'
import type { Limits } from '../limits.ts'
import type { FailureName, Frame, InputOf, ServerMessage } from '../wire/index.ts'
import type { Session, UserSession } from './session.ts'
import type { Rates } from './sessions.ts'

/** What the server does for its peers. */
export interface PeerHost {
  readonly limits: Limits
  readonly log: Logger
  readonly clock: Clock
  readonly queue: RunQueue
  dispatch(peer: Peer, frame: Frame): Promise<void> | undefined
  isRated(frame: Frame): boolean
  /** Adds to the user's sessions. @throws Refused `too_many_sessions` */
  loggedIn(session: Peer & UserSession): Rates
  drained(session: UserSession): void
  sent(session: Session, message: ServerMessage, values: unknown): void
  closed(peer: Peer): void
}

/** What the server and its dispatcher need of a connection, whichever protocol its other end speaks. */
export interface Peer extends Session {
  /** How far it has come before its login: 0 it is connected, 1 the handshake is over, 2 it has sent a message. */
  readonly progress: number
  /** Requests whose handlers have not answered. */
  readonly inFlight: number
  /** Resolves when the other end is gone and the server has forgotten it. */
  readonly closed: Promise<void>
  reply<M extends ServerMessage>(message: M, ref: number, values: InputOf<M>): void
  refuse(ref: number, refused: Refused): void
  fail(ref: number, code: FailureName, text?: string): void
  requestStarted(): void
  requestEnded(): void
  /** Called every second, with the clock's `now()`. */
  watch(now: number): void
  /** Starts no more requests: the server is about to stop. */
  takeNoMore(): void
}

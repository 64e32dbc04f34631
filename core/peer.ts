import type { Refused } from './errors.ts'
import type { Session } from './session.ts'
import type { FailureName, InputOf, ServerMessage } from './wire/index.ts'

/** What the server and its dispatcher need of a connection, whichever protocol its other end speaks. */
export interface Peer extends Session {
  /** Requests whose handlers have not answered. */
  readonly inFlight: number
  /** Resolves when the other end is gone and the server has forgotten it. */
  readonly closed: Promise<void>
  reply<M extends ServerMessage>(message: M, ref: number, values: InputOf<M>): void
  refuse(ref: number, refused: Refused): void
  fail(ref: number, code: FailureName, text?: string): void
  requestStarted(): void
  requestEnded(): void
  /** Called every second, with `performance.now()`. */
  watch(now: number): void
  /** Starts no more requests: the server is about to stop. */
  takeNoMore(): void
}

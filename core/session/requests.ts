import type { Refused } from '../errors.ts'
import type { ClientMessage, Frame, InputOf, ServerMessage } from '../wire/index.ts'
import type { Session } from './session.ts'

/** The `ref` of a request of this process: any but 0, which would want no reply. */
export const LOCAL_REF = 1

/**
 * What a message counts as: true a request, false a signal, `bulk` a signal of any length, whose handler limits the bytes.
 */
export type Rating = boolean | 'bulk'

/** Receives the outcome of a request: the connection it came on, or the caller inside this process. */
export interface Replies {
  reply<M extends ServerMessage>(message: M, ref: number, values: InputOf<M>): void
  refuse(ref: number, refused: Refused): void
}

/** A session as the handling of its requests sees it. */
export interface RequestSession extends Session {
  /** A handler works on a request: it is in flight until `requestEnded`. */
  requestStarted(): void
  requestEnded(): void
}

/** Carries requests to their handlers. */
export interface Requests {
  /** Counts a request that was refused before it was dispatched. */
  refused(type: number, refused: Refused): void
  /** What a message of that type counts as. */
  ratingOf(type: number): Rating
  /**
   * Handles one frame. A promise makes the connection's next frame wait: until the handler has started, or, for a serial
   * one, until it has answered.
   */
  dispatch(session: RequestSession, frame: Frame, replies: Replies): Promise<void> | undefined
  /**
   * Handles a request of this process, with values already checked.
   * @param mayQueue false for a request of the server's own: it may be part of one that has had its turn
   */
  request(
    session: RequestSession,
    message: ClientMessage,
    values: Record<string, unknown>,
    replies: Replies,
    mayQueue: boolean,
  ): Promise<void> | undefined
}

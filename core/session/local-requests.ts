import type { Clock } from '../clock.ts'
import { Refused, toFailure } from '../errors.ts'
import {
  type ClientMessage,
  type FailureName,
  type InputOf,
  type ReplyOf,
  receive,
  type ServerMessage,
  type ValuesOf,
  WireError,
} from '../wire/index.ts'
import { LOCAL_REF, type Replies, type RequestSession, type Requests } from './requests.ts'

interface LocalSession extends RequestSession {
  /** Counts a message of the peer; returns the milliseconds until it may be handled. @throws Refused */
  admit(type: number, bytes: number): number
  /** The same for a message of the server's own. */
  rate(type: number, bytes: number): number
  dispatchFailed(type: number, error: unknown): void
  replied(message: ServerMessage, values: unknown): void
}

/** Requests that a session gets from inside this process: of translators and plugins. */
export class LocalRequests {
  readonly #session: LocalSession
  readonly #requests: Requests
  readonly #clock: Clock
  /** Requests of the peer that have no reply yet. */
  readonly #pending = new Set<PendingReply>()
  #isStopping = false

  constructor(session: LocalSession, { requests, clock }: { readonly requests: Requests; readonly clock: Clock }) {
    this.#session = session
    this.#requests = requests
    this.#clock = clock
  }

  /**
   * @param options.fromPeer the peer made it: it counts as one of its messages, has its turn in the queue, fails when the
   *   session closes, and its reply is an event
   */
  async request<M extends ClientMessage>(
    message: M,
    input: InputOf<M>,
    { rated, fromPeer }: { readonly rated: boolean; readonly fromPeer: boolean },
  ): Promise<ReplyOf<M>> {
    const { values, bytes } = received(message, input)
    if (rated) await this.#rate(message.type, bytes, fromPeer)
    if (fromPeer) this.#checkOpen()
    return new Promise<ReplyOf<M>>((resolve, reject) => {
      const pending = new PendingReply(resolve as (reply: object) => void, reject, (sent, reply) => {
        if (this.#pending.delete(pending)) this.#session.replied(sent, reply)
      })
      if (fromPeer) this.#pending.add(pending)
      this.#dispatch(message, values, pending, fromPeer)
    })
  }

  async #rate(type: number, bytes: number, fromPeer: boolean) {
    const wait = fromPeer ? this.#session.admit(type, bytes) : this.#session.rate(type, bytes)
    if (wait > 0) await new Promise<void>((resolve) => this.#clock.after(wait, resolve).unref())
  }

  #checkOpen() {
    if (!this.#session.open) throw new Refused('logged_out')
    if (this.#isStopping) throw new Refused('shutting_down')
  }

  #dispatch(message: ClientMessage, values: Record<string, unknown>, replies: Replies, mayQueue: boolean) {
    const failed = (error: unknown) => {
      this.#session.dispatchFailed(message.type, error)
      replies.refuse(LOCAL_REF, new Refused('internal'))
    }
    try {
      this.#requests.request(this.#session, message, values, replies, mayQueue)?.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  stopAccepting() {
    this.#isStopping = true
  }

  /** Refuses all pending requests of the peer. The failures are not sent, so they are no events. */
  fail(reason: FailureName) {
    const pending = [...this.#pending]
    this.#pending.clear()
    for (const replies of pending) replies.refuse(LOCAL_REF, new Refused(reason))
  }
}

/** A caller that waits for its reply. */
class PendingReply implements Replies {
  readonly #resolve: (reply: object) => void
  readonly #reject: (refused: Refused) => void
  readonly #onSent: (message: ServerMessage, values: unknown) => void
  /** Why the reply of the handler could not be used. */
  #lost: Error | undefined

  /** @param onSent called with the reply or the failure, as the peer of a connection would get it */
  constructor(
    resolve: (reply: object) => void,
    reject: (refused: Refused) => void,
    onSent: (message: ServerMessage, values: unknown) => void,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#onSent = onSent
  }

  reply<M extends ServerMessage>(message: M, _ref: number, input: InputOf<M>) {
    const values = this.#checked(message, input)
    this.#resolve(values)
    this.#onSent(message, values)
  }

  #checked<M extends ServerMessage>(message: M, input: InputOf<M>): ValuesOf<M> {
    try {
      return receive(message, input).values
    } catch (error) {
      this.#lost = error as Error
      throw error
    }
  }

  refuse(_ref: number, refused: Refused) {
    const { message, values } = toFailure(refused)
    this.#reject(this.#lost === undefined ? refused : carriedOut(refused, this.#lost))
    this.#onSent(message, values)
  }
}

/** A refusal of a request whose handler has succeeded: its outcome is not "not carried out". */
function carriedOut({ failure, message, retryAfter }: Refused, lost: Error): Refused {
  const outcome = Promise.reject<undefined>(lost)
  // Not every caller asks for it.
  outcome.catch(() => {})
  return new Refused(failure, message, { retryAfter, outcome })
}

/** @throws Refused `invalid_value` for values that the message cannot carry, as its receiver would */
function received<M extends ClientMessage>(message: M, input: InputOf<M>): { values: ValuesOf<M>; bytes: number } {
  try {
    return receive(message, input)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw new Refused('invalid_value', `${message.name}: ${error.message}`)
  }
}

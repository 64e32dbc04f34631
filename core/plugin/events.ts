import { EventEmitter } from 'eventemitter3'
import type { UserSession } from '../session/session.ts'
import type { User } from '../session/user.ts'

declare const payloadType: unique symbol

/**
 * Whom an event concerns where several servers share one database: `process`, only the server in which it happened, such
 * as one of a session; `cluster`, each of them, such as a change of an account: its payload is plain data.
 */
export type EventScope = 'process' | 'cluster'

/** An event of the server's own life, beside the one that every message type is. Names are `plugin.event`. */
export interface EventType<P = unknown> {
  readonly name: string
  readonly scope: EventScope
  readonly [payloadType]?: P
}

export const defineEvent = <P>(name: string, { scope = 'process' }: { readonly scope?: EventScope } = {}) =>
  ({ name, scope }) as EventType<P>

/** All plugins have started. Emitted once, before the first connection. */
export const ServerStarted = defineEvent<undefined>('core.server_started')
/** A user logged in on a session. Emitted after the reply to the login, unless the session has closed by then. */
export const SessionStarted = defineEvent<UserSession>('core.session_started')
/** A session of a user ended, for any reason. Emitted once for each SessionStarted; `session.closed` covers every session. */
export const SessionEnded = defineEvent<UserSession>('core.session_ended')
/** A user came online: the first session has started. */
export const UserOnline = defineEvent<User>('core.user_online', { scope: 'cluster' })
/** A user went offline: the last session has ended. Emitted once for each UserOnline. */
export const UserOffline = defineEvent<User>('core.user_offline', { scope: 'cluster' })
/** A session whose peer had stopped reading takes pushes again. */
export const SessionDrained = defineEvent<UserSession>('core.session_drained')

/** Gets what a listener threw or rejected with; must not throw. */
type OnFailure = (error: unknown) => void
// biome-ignore lint/suspicious/noExplicitAny: the typed doors are App.on and App.emit; the bus carries any payload
type Listener = (...payload: any[]) => unknown

/** True for promises and other thenables. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | undefined | null)?.then === 'function'

/**
 * eventemitter3 with every listener wrapped: a failing one is reported, the others are still called, and `emit` never
 * throws.
 */
export class Bus {
  readonly #emitter = new EventEmitter()

  /** Returns the function that takes the listener off again. */
  on(name: string, listener: Listener, onFailure: OnFailure): () => void {
    const guarded = (...payload: unknown[]) => {
      try {
        const result = listener(...payload)
        // Not only promises: a Knex query, for one, runs only when it is asked for its result.
        if (isThenable(result)) result.then(undefined, onFailure)
      } catch (error) {
        onFailure(error)
      }
    }
    this.#emitter.on(name, guarded)
    return () => this.#emitter.off(name, guarded)
  }

  // Not a rest parameter: this runs for each message sent, mostly without a listener.
  emit(name: string, first?: unknown, second?: unknown, third?: unknown) {
    this.#emitter.emit(name, first, second, third)
  }
}

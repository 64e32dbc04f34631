import { EventEmitter } from 'eventemitter3'
import type { UserSession } from '../session/session.ts'

declare const payloadType: unique symbol

/** An event of the server's own life, beside the one that every message type is. Names are `plugin.event`. */
export interface EventType<P = unknown> {
  readonly name: string
  readonly [payloadType]?: P
}

export const defineEvent = <P>(name: string): EventType<P> => ({ name })

/** Every plugin is there and nobody else yet: told once, before the first connection. */
export const ServerStarted = defineEvent<undefined>('core.server_started')
/** A user logged in on a session; told after the login was answered. */
export const SessionStarted = defineEvent<UserSession>('core.session_started')
/** A session of a user ended, whoever ended it. */
export const SessionEnded = defineEvent<UserSession>('core.session_ended')
/** A session whose peer had stopped reading takes pushes again. */
export const SessionDrained = defineEvent<UserSession>('core.session_drained')

/** Gets what a listener threw or rejected with; must not throw. */
type OnFailure = (error: unknown) => void
// biome-ignore lint/suspicious/noExplicitAny: the typed doors are App.on and App.emit; the bus carries any payload
type Listener = (...payload: any[]) => unknown

/** True for promises and whatever else can be awaited. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | undefined | null)?.then === 'function'

/**
 * eventemitter3 with every listener wrapped: one that throws or rejects is reported, the others are told all the same,
 * and `emit` never throws.
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

  emit(name: string, ...payload: unknown[]) {
    this.#emitter.emit(name, ...payload)
  }
}

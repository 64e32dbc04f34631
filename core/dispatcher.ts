import type { Logger } from 'pino'
import type { Connection } from './connection.ts'
import { Refused } from './errors.ts'
import type { Bus } from './events.ts'
import type { Limits } from './limits.ts'
import type { PluginRecord } from './plugin-record.ts'
import type { User } from './session.ts'
import {
  type Allow,
  type Catalogue,
  type ClientMessage,
  Done,
  decode,
  type FailureName,
  type Frame,
  readRef,
  WireError,
} from './wire/index.ts'

type Values = Record<string, unknown>
// biome-ignore lint/suspicious/noExplicitAny: typed at the door, App.handle
type Handler = (session: any, values: any) => unknown

interface Owned {
  readonly plugin: PluginRecord
  readonly run: Handler
}

interface Caller {
  readonly user: User | undefined
  readonly isOperator: boolean
}

/** Whether this peer may send a message with that rule; the reason if not. Everything else is denied. */
const PERMITTED: Record<Allow, (caller: Caller) => FailureName | undefined> = {
  any: () => undefined,
  anonymous: ({ user, isOperator }) => (user === undefined && !isOperator ? undefined : 'not_allowed'),
  user: ({ user }) => (user === undefined ? 'login_required' : undefined),
  admin: ({ user, isOperator }) => {
    if (isOperator || user?.role === 'admin') return undefined
    return user === undefined ? 'login_required' : 'not_allowed'
  },
  operator: ({ isOperator }) => (isOperator ? undefined : 'not_allowed'),
}

/** From a frame to its handler and back: every check that is not a plugin's own is made here. */
export class Dispatcher {
  readonly #catalogue: Catalogue
  readonly #bus: Bus
  readonly #limits: Limits
  readonly #log: Logger
  readonly #handlers = new Map<ClientMessage, Owned & { readonly rated: boolean }>()
  readonly #hooks = new Map<ClientMessage, Owned[]>()

  constructor(catalogue: Catalogue, bus: Bus, limits: Limits, log: Logger) {
    this.#catalogue = catalogue
    this.#bus = bus
    this.#limits = limits
    this.#log = log
  }

  /** Returns the function that takes the handler off again; undefined if the message has one already. */
  handle(message: ClientMessage, plugin: PluginRecord, run: Handler, rated: boolean): (() => void) | undefined {
    if (this.#handlers.has(message)) return undefined
    this.#handlers.set(message, { plugin, run, rated })
    return () => this.#handlers.delete(message)
  }

  before(message: ClientMessage, plugin: PluginRecord, run: Handler): () => void {
    const hook = { plugin, run }
    this.#hooks.set(message, [...(this.#hooks.get(message) ?? []), hook])
    return () =>
      this.#hooks.set(
        message,
        (this.#hooks.get(message) ?? []).filter((other) => other !== hook),
      )
  }

  /** Whether this frame counts against the user's request rate. */
  isRated(frame: Frame): boolean {
    const message = this.#catalogue.byType(frame.type)
    return message?.from === 'client' && (this.#handlers.get(message)?.rated ?? true)
  }

  /**
   * Handles one frame. Returns a promise while the handler has not yet *started* (an asynchronous `before`): the
   * connection's next frame must wait for it, so that handlers start in order.
   */
  dispatch(connection: Connection, frame: Frame): Promise<void> | undefined {
    const message = this.#catalogue.byType(frame.type)
    if (message === undefined || message.from === 'server') return void connection.fail(readRef(frame), 'unknown_type')
    const refusal = PERMITTED[message.allow](connection)
    if (refusal !== undefined) return void connection.fail(readRef(frame), refusal)
    const owner = this.#handlers.get(message)
    if (owner === undefined) return void connection.fail(readRef(frame), 'unknown_type')
    const values = connection.user === undefined ? this.#limits.valuesBeforeLogin : this.#limits.values
    try {
      const decoded = decode(message, frame, values)
      return this.#run(connection, message, decoded.ref, decoded.values as Values, owner)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#refuseBytes(connection, message, readRef(frame), error)
    }
  }

  #refuseBytes(connection: Connection, message: ClientMessage, ref: number, error: WireError) {
    const text = `${message.name}: ${error.message}`
    if (error.code === 'value') return connection.fail(ref, 'invalid_value', text)
    // A peer that does not speak this message at all is cut: what follows cannot be trusted either.
    const code = error.code === 'oversized' ? 'too_large' : 'protocol_error'
    connection.fail(ref, code, text)
    connection.close(code)
  }

  #run(connection: Connection, message: ClientMessage, ref: number, values: Values, owner: Owned) {
    const hooks = this.#hooks.get(message)
    if (hooks === undefined || hooks.length === 0) return void this.#handle(connection, message, ref, values, owner)
    return this.#runHooks(connection, message, ref, values, owner, hooks)
  }

  async #runHooks(
    connection: Connection,
    message: ClientMessage,
    ref: number,
    values: Values,
    owner: Owned,
    hooks: readonly Owned[],
  ): Promise<void> {
    for (const hook of hooks) {
      try {
        const amended = await hook.run(connection, values)
        if (amended !== undefined && amended !== null) values = amended as Values
      } catch (error) {
        return this.#failed(connection, message, ref, hook.plugin, error)
      }
    }
    this.#handle(connection, message, ref, values, owner)
  }

  #handle(connection: Connection, message: ClientMessage, ref: number, values: Values, { plugin, run }: Owned) {
    try {
      const result = run(connection, values)
      if (!(result instanceof Promise)) return this.#succeeded(connection, message, ref, plugin, values, result)
      connection.requestStarted()
      result
        .then(
          (reply) => this.#succeeded(connection, message, ref, plugin, values, reply),
          (error) => this.#failed(connection, message, ref, plugin, error),
        )
        .finally(() => connection.requestEnded())
    } catch (error) {
      this.#failed(connection, message, ref, plugin, error)
    }
  }

  #succeeded(
    connection: Connection,
    message: ClientMessage,
    ref: number,
    plugin: PluginRecord,
    values: Values,
    reply: unknown,
  ) {
    try {
      connection.reply(message.reply ?? Done, ref, (reply ?? {}) as Values)
    } catch (error) {
      return this.#failed(connection, message, ref, plugin, error)
    }
    this.#bus.emit(message.name, connection, values, reply)
  }

  #failed(connection: Connection, message: ClientMessage, ref: number, plugin: PluginRecord, error: unknown) {
    if (error instanceof Refused) return connection.refuse(ref, error)
    plugin.failed(error, message.name)
    this.#log.debug({ session: connection.id, type: message.name }, 'answered internal')
    connection.fail(ref, 'internal')
  }
}

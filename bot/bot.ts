import { type Address, connect, type LoginKeys, OnNewMessage } from '../client/index.ts'
import { type Clock, SYSTEM_CLOCK } from '../core/clock.ts'
import { FIRST_FOREIGN_TYPE, type ServerMessage, type ValuesOf } from '../core/wire/index.ts'
import { type ArgumentSchemas, type ArgumentsOf, Command } from './command.ts'
import type { MessageContext, PushContext, ScheduleContext } from './context.ts'
import type { BotLifeEvents, Definition, ErrorHandler, MessageHandler, Middleware, Options } from './definition.ts'
import type { Recipient } from './effects.ts'
import { type BotLog, standardLog } from './log.ts'
import { moveBack, type Replay } from './replay.ts'
import { RunningBot } from './running-bot.ts'
import { readPattern } from './schedule.ts'

export interface StartOptions {
  /** `host:port`, `host` (port 7300), a control socket `{ path }`, or a function that connects a stream. */
  readonly server: string | Address
  /** Account to log in as. */
  readonly user: string
  /** Key of a bot account, as `chatctl users create NAME --bot` printed it. */
  readonly key?: string
  readonly password?: string
  /** Keys saved from an earlier login. */
  readonly keys?: LoginKeys
  /** Expected fingerprint of the server, `SHA256:…`; any other key is refused. */
  readonly pin?: string
  /** Minimum PBKDF2 iterations for a `password`; a `key` needs none. See `connect`. */
  readonly leastIterations?: number
  /** Checks the server's key when there is no pin; throws to refuse it. */
  readonly checkKey?: (key: string) => void | Promise<void>
  /** Overrides the consumer of the definition. */
  readonly consumer?: string
  /** Moves the consumer back: events after that point come again. Earlier events not handled yet are skipped. */
  readonly replay?: Replay
  /** Whether a new consumer starts at the first stored message instead of the next one. */
  readonly all?: boolean
  /** Stops the bot when aborted. */
  readonly signal?: AbortSignal
  /** Time limit of connecting and of each request, milliseconds. Default 10,000. */
  readonly timeout?: number
  /** Clock of timers and deadlines; default the system clock. */
  readonly clock?: Clock
  /** Default NDJSON on stderr. */
  readonly log?: BotLog
}

/** Longest name of a bot or consumer. */
const MAX_NAME_BYTES = 64

/**
 * Defines a bot, without a connection. `Bot.start` starts it; `chatctl bot run FILE` starts the default export of a file.
 * @throws TypeError for invalid options
 * @see docs/BOTS.md
 */
export function createBot<State = undefined>(options: Options<State>): Bot<State> {
  return new Bot(options)
}

/** Definition of a bot, made by `createBot`. One handler runs per message: the command, else `hears`, else `message`. */
export class Bot<State = undefined> {
  readonly #definition: Definition<State>

  constructor(options: Options<State>) {
    const { name, consumer = name, concurrency = 1, prefix = '/', timeLimit = 1 } = options
    const { debounce = 0, perUser: { perHour } = { perHour: 1 } } = options
    for (const given of [name, consumer])
      if (given === '' || Buffer.byteLength(given) > MAX_NAME_BYTES || /\p{Cc}/u.test(given))
        throw new TypeError(`"${given}" cannot name a bot or its consumer: 1 to ${MAX_NAME_BYTES} bytes, one line`)
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new TypeError(`concurrency must be an integer of at least 1, not ${concurrency}`)
    if (!(timeLimit > 0)) throw new TypeError(`timeLimit must be a positive number of milliseconds, not ${timeLimit}`)
    if (!(debounce >= 0)) throw new TypeError(`debounce must be milliseconds, not ${debounce}`)
    if (!(perHour >= 1)) throw new TypeError(`perUser.perHour must be at least 1, not ${perHour}`)
    if (prefix === '' || /\s/.test(prefix)) throw new TypeError(`"${prefix}" cannot be the prefix of commands`)
    this.#definition = {
      options,
      commands: new Map(),
      patterns: [],
      message: undefined,
      pushes: [],
      schedules: [],
      middleware: [],
      onError: undefined,
      life: [],
    }
  }

  get name(): string {
    return this.#definition.options.name
  }

  /**
   * Handles a command, such as `/roll 6`; in a group also `/roll@NAME`. Words may be quoted. Arguments that the schemas
   * reject are answered with the usage. `/help` is generated, unless there is a command of that name.
   * @param args schemas in the order of the words, optional ones last; an array as the last takes all remaining words
   */
  command<A extends ArgumentSchemas = Record<never, never>>(
    name: string,
    { about, args }: { readonly about: string; readonly args?: A },
    handler: (context: MessageContext<State>, values: ArgumentsOf<A>) => unknown,
  ): this {
    const command = new Command(name, about, args ?? {})
    const key = name.toLowerCase()
    if (this.#definition.commands.has(key)) throw new TypeError(`there is a command "${name}" already`)
    this.#definition.commands.set(key, {
      command,
      run: (context, values) => handler(context, values as ArgumentsOf<A>),
    })
    return this
  }

  /** Handles messages that match the RegExp, or whose whole text equals the string, ignoring case. */
  hears(pattern: string | RegExp, handler: MessageHandler<State>): this {
    this.#definition.patterns.push({ pattern, run: handler })
    return this
  }

  /** Handles all other messages. @throws TypeError if there is such a handler already */
  message(handler: MessageHandler<State>): this {
    if (this.#definition.message !== undefined) throw new TypeError('`message` has a handler already')
    this.#definition.message = handler
    return this
  }

  /**
   * Handles pushes of that type, of the server or a plugin. Delivered at most once: none is repeated after a restart.
   * @throws TypeError for messages, which need an acknowledgement
   */
  on<M extends ServerMessage>(message: M, handler: (values: ValuesOf<M>, context: PushContext) => unknown): this {
    if (message.type === OnNewMessage.type)
      throw new TypeError('use `message` or `hears` for messages: they acknowledge each one after its handler')
    this.#definition.pushes.push({ message, run: handler as (values: unknown, context: PushContext) => unknown })
    return this
  }

  /**
   * Runs at the times of a cron pattern, such as `0 9 * * MON-FRI`. Runs missed while the bot was offline are skipped; an
   * interrupted run is resumed after a restart.
   * @param options.name part of the idempotency keys of its runs; default the pattern
   * @param options.timezone such as `Europe/Berlin`; default that of the machine
   * @param options.chat chat whose state and queue it shares, and in which it asks; default a state and queue of its own
   * @throws TypeError for an invalid pattern or time zone, or a name in use
   */
  schedule(
    pattern: string,
    handler: (context: ScheduleContext<State>) => unknown,
    {
      name = pattern,
      timezone,
      chat,
    }: { readonly name?: string; readonly timezone?: string; readonly chat?: Recipient } = {},
  ): this {
    const { schedules } = this.#definition
    if (schedules.some((schedule) => schedule.name === name))
      throw new TypeError(`there is a schedule "${name}" already: give this one another name`)
    schedules.push({ name, cron: readPattern(pattern, timezone), chat, run: handler })
    return this
  }

  /** Wraps every message handler, the first registered outermost. */
  use(middleware: Middleware<State>): this {
    this.#definition.middleware.push(middleware)
    return this
  }

  /** Receives the errors of handlers instead of the log. The event counts as handled. */
  catch(handler: ErrorHandler<State>): this {
    this.#definition.onError = handler
    return this
  }

  onLife<E extends keyof BotLifeEvents>(event: E, listener: (...payload: BotLifeEvents[E]) => unknown): this {
    this.#definition.life.push({ event, listener })
    return this
  }

  /**
   * Connects, logs in and starts consuming; reconnects when the connection is lost. Resolves when events are delivered.
   * @throws TypeError without credentials; ClientError, RefusedByServer; BotError `nothing_to_replay`
   */
  async start(options: StartOptions): Promise<RunningBot<State>> {
    const { user, key, password = key, keys, replay, all = false, signal } = options
    const { clock = SYSTEM_CLOCK, log = standardLog() } = options
    const { name, messages = {}, consumer: own = name } = this.#definition.options
    const { consumer = own } = options
    if (password === undefined && keys === undefined)
      throw new TypeError('give a key, a password or keys to log in with')
    const { server, pin, checkKey, leastIterations, timeout } = options
    const types = new Set([...Object.values(messages), ...this.#definition.pushes.map(({ message }) => message)])
    const client = await connect({
      server,
      // Lower ones are the server's own, which every client knows.
      messages: [...types].filter(({ type }) => type >= FIRST_FOREIGN_TYPE),
      ...(pin !== undefined && { pin }),
      ...(checkKey !== undefined && { checkKey }),
      ...(leastIterations !== undefined && { leastIterations }),
      ...(timeout !== undefined && { timeout }),
    })
    try {
      const identity = await client.login(user, {
        ...(keys !== undefined && { keys }),
        ...(password !== undefined && { password }),
      })
      if (replay !== undefined) await moveBack(client, consumer, replay, log)
      const definition = this.#definition
      const running = new RunningBot({ definition, client, identity, consumer, clock, log, all })
      await running.run()
      if (signal?.aborted) await running.stop()
      signal?.addEventListener('abort', () => void running.stop(), { once: true })
      return running
    } catch (error) {
      await client.close()
      throw error
    }
  }
}

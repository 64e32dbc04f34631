import { type Address, connect, type LoginKeys, OnNewMessage } from '../client/index.ts'
import { type Clock, SYSTEM_CLOCK } from '../core/clock.ts'
import type { ServerMessage, ValuesOf } from '../core/wire/index.ts'
import { type ArgumentSchemas, type ArgumentsOf, Command } from './command.ts'
import type { MessageContext, PushContext, ScheduleContext } from './context.ts'
import type { BotLifeEvents, Definition, ErrorHandler, MessageHandler, Middleware, Options } from './definition.ts'
import type { Recipient } from './effects.ts'
import { type BotLog, standardLog } from './log.ts'
import { moveBack, type Replay } from './replay.ts'
import { RunningBot } from './running-bot.ts'
import { readPattern } from './schedule.ts'

export interface StartOptions {
  /** `host:port`, `host` (port 7300), a control socket `{ path }`, or how to get a connected stream. */
  readonly server: string | Address
  /** The account to log in as. */
  readonly user: string
  /** Key of a bot account, as `chatctl users create NAME --bot` printed it. */
  readonly key?: string
  readonly password?: string
  /** Keys kept from an earlier login. */
  readonly keys?: LoginKeys
  /** The server's fingerprint, `SHA256:…`. Any other key is refused. */
  readonly pin?: string
  /** Fewest PBKDF2 iterations for a `password`; a `key` needs none. See `connect`. */
  readonly leastIterations?: number
  /** Decides about the server's key where there is no pin; throws to refuse. */
  readonly checkKey?: (key: string) => void | Promise<void>
  /** In place of the definition's consumer. */
  readonly consumer?: string
  /**
   * Begins again behind a message, or with those of a time: also what was handled comes again. What was not handled before
   * that point does not.
   */
  readonly replay?: Replay
  /** A new consumer begins with the first message there is, not with what comes next. */
  readonly all?: boolean
  /** Stops the bot when it aborts. */
  readonly signal?: AbortSignal
  /** Time limit of connecting and of each request, milliseconds. Default 10,000. */
  readonly timeout?: number
  /** What the time is; the system's unless given. */
  readonly clock?: Clock
  /** Where it tells of itself: lines of JSON on stderr unless given. */
  readonly log?: BotLog
}

/** Longest name of a consumer, in bytes. */
const MAX_NAME = 64

/**
 * Defines a bot: what it hears and does, without a connection. `Bot.start`, or `chatctl bot run FILE` for the default
 * export of a file, puts it to work.
 * @throws TypeError for options that cannot be
 * @see docs/BOTS.md
 */
export function createBot<State = undefined>(options: Options<State>): Bot<State> {
  return new Bot(options)
}

/** What a bot is: made by `createBot`. Of the handlers of a message, one runs: command, then `hears`, then `message`. */
export class Bot<State = undefined> {
  readonly #definition: Definition<State>

  constructor(options: Options<State>) {
    const { name, consumer = name, concurrency = 1, prefix = '/', timeLimit = 1 } = options
    for (const given of [name, consumer])
      if (given === '' || Buffer.byteLength(given) > MAX_NAME || /\p{Cc}/u.test(given))
        throw new TypeError(`"${given}" cannot name a bot or its consumer: 1 to ${MAX_NAME} bytes, one line`)
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new TypeError(`concurrency is a whole number from 1 up, not ${concurrency}`)
    if (!(timeLimit > 0)) throw new TypeError(`timeLimit is a number of milliseconds from 1 up, not ${timeLimit}`)
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
   * Answers a command, such as `/roll 6`; in a group also `/roll@NAME`. Words may be in quotation marks. What does not
   * fit the schemas is answered with the usage; `/help` is made from them, unless there is a command of that name.
   * @param args schemas in the order of the words; optional ones at the end; an array as the last takes all that are left
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

  /** Takes messages in which the pattern is found, or whose whole text is the string, in whatever case. */
  hears(pattern: string | RegExp, handler: MessageHandler<State>): this {
    this.#definition.patterns.push({ pattern, run: handler })
    return this
  }

  /** Takes the messages that nothing else took. */
  message(handler: MessageHandler<State>): this {
    if (this.#definition.message !== undefined) throw new TypeError('there is a handler of all messages already')
    this.#definition.message = handler
    return this
  }

  /** Told of each push of that type, a plugin's included. Pushes are told once: none comes again after a restart. */
  on<M extends ServerMessage>(message: M, handler: (values: ValuesOf<M>, context: PushContext) => unknown): this {
    if (message.type === OnNewMessage.type)
      throw new TypeError('messages come to `message` and `hears`, which acknowledge them once they are handled')
    this.#definition.pushes.push({ message, run: handler as (values: unknown, context: PushContext) => unknown })
    return this
  }

  /**
   * Runs at the times of a cron pattern, such as `0 9 * * MON-FRI`. What was missed while the bot was away is not made up
   * for; a run that has begun goes on after a restart, as that of a message does.
   * @param options.name names its acts, so that two processes do each once; the pattern unless given
   * @param options.timezone such as `Europe/Berlin`; that of the machine unless given
   * @param options.chat whose state it has, in whose order it runs, and whom it asks; an own state and order unless given
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
      throw new TypeError(`there is a schedule "${name}" already: give it a name`)
    schedules.push({ name, cron: readPattern(pattern, timezone), chat, run: handler })
    return this
  }

  /** Runs around every handler of a message, the first registered outermost. */
  use(middleware: Middleware<State>): this {
    this.#definition.middleware.push(middleware)
    return this
  }

  /** Told of what handlers throw, instead of the log. The event counts as handled. */
  catch(handler: ErrorHandler<State>): this {
    this.#definition.onError = handler
    return this
  }

  onLife<E extends keyof BotLifeEvents>(event: E, listener: (...payload: BotLifeEvents[E]) => unknown): this {
    this.#definition.life.push({ event, listener })
    return this
  }

  /**
   * Connects, logs in and goes to work; comes back by itself when the connection is lost. Resolves when events come.
   * @throws ClientError, RefusedByServer
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

/** Message types below are the server's own, which every client knows. */
const FIRST_FOREIGN_TYPE = 1000

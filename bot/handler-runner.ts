import { AsyncLocalStorage } from 'node:async_hooks'
import { LRUCache } from 'lru-cache'
import type { ChatMessage, Client, Identity, KeptState } from '../client/index.ts'
import { Asker, type AskerParts } from './asker.ts'
import { type ContextParts, MessageContext, PushContext, ScheduleContext } from './context.ts'
import type { AnyContext, DefinedSchedule, Definition } from './definition.ts'
import { Effects } from './effects.ts'
import { BotError } from './errors.ts'
import type { BotLog } from './log.ts'
import { isBotLoop, MAX_ATTEMPTS, type Retrier } from './retrier.ts'
import type { Route } from './router.ts'
import { RunLimit, SLOW_MS } from './run-limit.ts'
import type { StateStore } from './state.ts'
import { TypingNotices } from './typing.ts'
import { type EventWork, isEvent, type ScheduleWork, type Work } from './work.ts'

/** Default time limit of a run; waits for answers do not count. */
const DEFAULT_TIME_LIMIT_MS = 900_000
/** Chats remembered as reported for a bot loop: each is reported once. */
const REPORTED_LOOP_ENTRIES = 1000

/** Name of the running handler. */
const HANDLER = new AsyncLocalStorage<string>()

/** Name of the handler in whose asynchronous context this is called, also from a promise that it did not await. */
export const runningHandler = (): string | undefined => HANDLER.getStore()

/** Whether a run was ended before its handler; its event counts as handled. */
const isEndedEarly = (error: unknown): error is BotError =>
  error instanceof BotError && (error.code === 'handler_timed_out' || error.code === 'handler_cancelled')

/** Outcome of a run that ended because the bot stops: its event comes again at the next start. */
export const ABANDONED = Symbol('abandoned')

export interface HandlerRunnerParts<State> {
  readonly definition: Definition<State>
  readonly client: Client
  readonly identity: Identity
  readonly consumer: string
  readonly log: BotLog
  readonly retrier: Retrier
  readonly asking: AskerParts
  /** Aborted when handlers must end. */
  readonly end: AbortSignal
  /** Called once per chat in which the server stopped a bot loop. */
  readonly onLoop: (chat: string) => void
  /** Called when a run has become slow. */
  readonly onSlow: () => void
}

/** A handler to run for a piece of work. */
interface Job<State> {
  readonly work: Work
  /** Fields for the log. */
  readonly at: { readonly handler: string; readonly event?: number; readonly time?: Date }
  /** Prefix of the idempotency keys, the same in each run. */
  readonly origin: string
  readonly hops: number
  /** Chat to report when the server stops a bot loop; undefined if the work has none. */
  readonly chat: string | undefined
  makeContext(
    parts: ContextParts & { state: State; asker: Asker; typing: TypingNotices },
  ): AnyContext<State> & { readonly state: State }
  run(context: AnyContext<State>): unknown
}

export type Outcome = { readonly kept: KeptState | undefined } | typeof ABANDONED

/** Runs the handlers of a definition, each run with its own context. No method rejects. */
export class HandlerRunner<State> {
  /** Undefined for a bot without state. Set before the first event. */
  states: StateStore | undefined
  readonly #parts: HandlerRunnerParts<State>
  readonly #log: BotLog
  readonly #retrier: Retrier
  readonly #end: AbortSignal
  readonly #reportedLoops = new LRUCache<string, true>({ max: REPORTED_LOOP_ENTRIES })
  /** Slow runs, oldest first. */
  readonly #slow = new Set<RunLimit>()
  /** Runs of handlers by the id of their message. */
  readonly #running = new Map<number, { readonly message: ChatMessage; readonly limit: RunLimit }>()

  constructor(parts: HandlerRunnerParts<State>) {
    this.#parts = parts
    this.#log = parts.log
    this.#retrier = parts.retrier
    this.#end = parts.end
  }

  /** Runs the handler of an event, with retries; resolves with the state to keep, or ABANDONED. */
  message(work: EventWork, route: Route<State>): Promise<Outcome> {
    const { message, chat } = work
    return this.#run({
      work,
      at: { handler: route.handler, event: message.id },
      origin: `${this.#parts.consumer}/${message.id}`,
      hops: message.hops + 1,
      chat,
      makeContext: (parts) =>
        new MessageContext<State>({ ...parts, message, earlier: work.earlier ?? [], chat, match: route.match }),
      run: (context) => this.#throughMiddleware(context as MessageContext<State>, route),
    })
  }

  /** Runs the handler of a schedule, with retries; resolves with the state to keep, or ABANDONED. */
  schedule(work: ScheduleWork, schedule: DefinedSchedule<State>): Promise<Outcome> {
    const { time } = work
    return this.#run({
      work,
      at: { handler: `schedule ${schedule.name}`, time },
      origin: `${this.#parts.consumer}/${work.key}`,
      hops: 1,
      chat: undefined,
      makeContext: (parts) => new ScheduleContext<State>({ ...parts, time, chat: schedule.chat }),
      run: (context) => schedule.run(context as ScheduleContext<State>),
    })
  }

  /** Ends the runs for messages that match, whose events count as handled; false if there is none. @param why in the log */
  cancel(matches: (message: ChatMessage) => boolean, why: string): boolean {
    const runs = [...this.#running.values()].filter(({ message }) => matches(message))
    for (const { limit } of runs) limit.cancel(why)
    return runs.length > 0
  }

  /** Times out the oldest slow run before its limit; false if there is none. */
  expireOldestSlow(): boolean {
    const [oldest] = this.#slow
    oldest?.expire()
    return oldest !== undefined
  }

  async #run(job: Job<State>): Promise<Outcome> {
    const { work, at } = job
    let context: AnyContext<State> | undefined
    let kept: KeptState | undefined
    try {
      kept = await this.#retrier.run(
        async () => {
          context = undefined
          const state = await this.#stateFor(work)
          return this.#runOnce(job, state, (made) => {
            context = made
          })
        },
        {
          maxAttempts: MAX_ATTEMPTS,
          onRetry: (error, pause) => this.#log.warn({ err: error, ...at, pause }, 'retrying the handler'),
        },
      )
    } catch (error) {
      if (!this.#isAbandoned(context)) await this.#failed(error, context, at, job.chat)
    }
    return this.#isAbandoned(context) ? ABANDONED : { kept }
  }

  /** One run of a handler. @param made receives its context, before the handler does */
  async #runOnce(job: Job<State>, state: State, made: (context: AnyContext<State>) => void) {
    const { work, at, origin, hops } = job
    const { asking: parts, definition } = this.#parts
    const { abandon, ...contextParts } = this.#contextParts(origin, hops)
    const limit = new RunLimit({
      clock: parts.clock,
      handler: at.handler,
      limit: definition.options.timeLimit ?? DEFAULT_TIME_LIMIT_MS,
      onSlow: () => {
        this.#log.warn({ ...at, seconds: SLOW_MS / 1000 }, 'slow handler: its slot goes to another chat')
        this.#slow.add(limit)
        parts.queues.releaseSlot(work)
        this.#parts.onSlow()
      },
    })
    const asker = new Asker(parts, { effects: contextParts.effects, abandon, work, limit })
    const typing = new TypingNotices(this.#parts.client, parts.clock, this.#log)
    const context = job.makeContext({ ...contextParts, state, asker, typing })
    if (isEvent(work)) this.#running.set(work.message.id, { message: work.message, limit })
    made(context)
    try {
      // Names the handler in the log of unhandled rejections.
      const running = HANDLER.run(at.handler, async () => job.run(context))
      await Promise.race([running, limit.timedOut])
    } catch (error) {
      // The handler may never end; its context refuses further effects.
      if (isEndedEarly(error)) abandon(error)
      throw error
    } finally {
      limit.end()
      this.#slow.delete(limit)
      if (isEvent(work)) this.#running.delete(work.message.id)
      typing.stop()
      asker.end()
    }
    return this.states?.save(work.chat, work.key, JSON.stringify(context.state))
  }

  async #stateFor({ chat, key }: Work): Promise<State> {
    const kept = await this.states?.load(chat, key)
    return kept === undefined ? (this.#parts.definition.options.state?.initial() as State) : JSON.parse(kept)
  }

  #isAbandoned(context: AnyContext<State> | undefined): boolean {
    if (this.#end.aborted) return true
    return context?.signal.aborted === true && !isEndedEarly(context.signal.reason)
  }

  async #throughMiddleware(context: MessageContext<State>, { run }: Route<State>) {
    const { middleware } = this.#parts.definition
    const step = async (index: number): Promise<void> => {
      const layer = middleware[index]
      if (layer === undefined) await run(context)
      else await layer(context, () => step(index + 1))
    }
    await step(0)
  }

  /** Replies to a message for which no handler runs. */
  async hint(work: EventWork, hint: string) {
    const { message } = work
    const key = `${this.#parts.consumer}/${message.id}/hint`
    try {
      const { effects } = this.#contextParts(key, message.hops + 1)
      await this.#retrier.run(() => effects.reply(message, hint, { key }), { maxAttempts: MAX_ATTEMPTS })
    } catch (error) {
      if (!this.#end.aborted) this.#log.warn({ err: error, event: message.id }, 'could not send a hint')
    }
  }

  /** Reports a handler's error to `catch` or the log; the bot continues. */
  async #failed(error: unknown, context: AnyContext<State> | undefined, at: object, chat = '') {
    if (isBotLoop(error)) {
      if (this.#reportedLoops.has(chat)) return
      this.#reportedLoops.set(chat, true)
      this.#log.warn({ ...at, chat }, 'the server stopped a bot loop')
      this.#parts.onLoop(chat)
      return
    }
    if (error instanceof BotError && error.code === 'handler_cancelled')
      return this.#log.info({ ...at, why: error.message }, 'a handler was cancelled')
    const { onError } = this.#parts.definition
    try {
      if (onError === undefined || context === undefined) this.#log.error({ err: error, ...at }, 'a handler failed')
      else await onError(error, context)
    } catch (second) {
      this.#log.error({ err: second, ...at }, 'the error handler failed')
    }
  }

  /** Runs the handler of a push. */
  async push(name: string, run: (context: PushContext) => unknown) {
    // A push is never repeated: its keys are unique, and serve resends after a reconnect.
    const context = new PushContext(this.#contextParts(`push/${crypto.randomUUID()}`, 1))
    const handler = `on ${name}`
    try {
      await HANDLER.run(handler, async () => run(context))
    } catch (error) {
      if (!this.#end.aborted) await this.#failed(error, context, { handler }, undefined)
    }
  }

  #contextParts(origin: string, hops: number) {
    const { definition, client, identity } = this.#parts
    const run = new AbortController()
    const signal = AbortSignal.any([this.#end, run.signal])
    return {
      effects: new Effects(client, { origin, hops, signal }),
      client,
      bot: { name: definition.options.name, user: identity.user },
      log: this.#log,
      signal,
      abandon: (reason: unknown) => run.abort(reason),
    }
  }
}

import { AsyncLocalStorage } from 'node:async_hooks'
import { LRUCache } from 'lru-cache'
import type { Client, Identity, KeptState } from '../client/index.ts'
import { Asking, type AskingParts } from './asking.ts'
import { type Attempts, isLoop, MOST_RUNS } from './attempts.ts'
import { type ActingParts, MessageContext, PushContext, ScheduleContext } from './context.ts'
import type { AnyContext, DefinedSchedule, Definition } from './definition.ts'
import { Effects } from './effects.ts'
import { BotError } from './errors.ts'
import type { BotLog } from './log.ts'
import type { Route } from './router.ts'
import { RunLimit, SLOW_MS } from './run-limit.ts'
import type { StateStore } from './state.ts'
import type { EventWork, ScheduleWork, Work } from './work.ts'

/** How long a handler may take unless the bot says otherwise, milliseconds; waits for answers do not count. */
const TIME_LIMIT_MS = 900_000
/** Chats whose loop was told of, remembered so that it is told once. */
const REMEMBERED_LOOPS = 1000

/** Name of the handler that is running. */
const HANDLER = new AsyncLocalStorage<string>()

/** Name of the handler that runs here, or that has begun what runs here, such as a promise that nobody awaits. */
export const runningHandler = (): string | undefined => HANDLER.getStore()

const isTimeOver = (error: unknown) => error instanceof BotError && error.code === 'handler_timed_out'

/** The bot ends before the handler has: its event comes again at the next start. */
export const GIVEN_UP = Symbol('given up')

export interface HandlersParts<State> {
  readonly definition: Definition<State>
  readonly client: Client
  readonly identity: Identity
  readonly consumer: string
  readonly log: BotLog
  readonly attempts: Attempts
  readonly asking: AskingParts
  /** Aborted when handlers have to end. */
  readonly end: AbortSignal
  readonly onLoop: (chat: string) => void
  /** Told when a handler takes long. */
  readonly onSlow: () => void
}

/** One kind of work: how it is told of, and what runs for it. */
interface Job<State> {
  readonly work: Work
  /** Fields for the log. */
  readonly at: { readonly handler: string; readonly event?: number; readonly time?: Date }
  /** Names its acts, the same in each run. */
  readonly origin: string
  readonly hops: number
  /** The chat in which bots may have answered each other too often. */
  readonly loop: string | undefined
  makeContext(parts: ActingParts & { state: State; asking: Asking }): AnyContext<State> & { readonly state: State }
  run(context: AnyContext<State>): unknown
}

export type Outcome = { readonly kept: KeptState | undefined } | typeof GIVEN_UP

/** Runs what a definition says, each run with a context of its own. Nothing here rejects. */
export class Handlers<State> {
  /** Undefined for a bot without state. Set before the first event. */
  states: StateStore | undefined
  readonly #parts: HandlersParts<State>
  readonly #log: BotLog
  readonly #attempts: Attempts
  readonly #end: AbortSignal
  readonly #loops = new LRUCache<string, true>({ max: REMEMBERED_LOOPS })
  /** Runs that take long, oldest first. */
  readonly #slow = new Set<RunLimit>()

  constructor(parts: HandlersParts<State>) {
    this.#parts = parts
    this.#log = parts.log
    this.#attempts = parts.attempts
    this.#end = parts.end
  }

  /** Runs the handler of an event, as often as need be; resolves with the state to keep, or with GIVEN_UP. */
  message(work: EventWork, route: Route<State>): Promise<Outcome> {
    const { message, chat } = work
    return this.#run({
      work,
      at: { handler: route.handler, event: message.id },
      origin: `${this.#parts.consumer}/${message.id}`,
      hops: message.hops + 1,
      loop: chat,
      makeContext: (parts) => new MessageContext<State>({ ...parts, message, chat, match: route.match }),
      run: (context) => this.#throughMiddleware(context as MessageContext<State>, route),
    })
  }

  /** Runs the handler of a schedule, likewise. */
  schedule(work: ScheduleWork, schedule: DefinedSchedule<State>): Promise<Outcome> {
    const { time } = work
    return this.#run({
      work,
      at: { handler: `schedule ${schedule.name}`, time },
      origin: `${this.#parts.consumer}/${work.key}`,
      hops: 1,
      loop: undefined,
      makeContext: (parts) => new ScheduleContext<State>({ ...parts, time, chat: schedule.chat }),
      run: (context) => schedule.run(context as ScheduleContext<State>),
    })
  }

  /** Ends the run that has taken longest as if its time were over; false if none takes long. */
  endSlowest(): boolean {
    const [slowest] = this.#slow
    slowest?.expire()
    return slowest !== undefined
  }

  async #run(job: Job<State>): Promise<Outcome> {
    const { work, at } = job
    let context: AnyContext<State> | undefined
    let kept: KeptState | undefined
    try {
      kept = await this.#attempts.run(
        async () => {
          context = undefined
          const state = await this.#stateFor(work)
          return this.#once(job, state, (made) => {
            context = made
          })
        },
        {
          most: MOST_RUNS,
          onRetry: (error, pause) => this.#log.warn({ err: error, ...at, pause }, 'the handler runs again'),
        },
      )
    } catch (error) {
      if (!this.#isGivenUp(context)) await this.#failed(error, context, at, job.loop)
    }
    return this.#isGivenUp(context) ? GIVEN_UP : { kept }
  }

  /** One run of a handler. */
  async #once(job: Job<State>, state: State, made: (context: AnyContext<State>) => void) {
    const { work, at, origin, hops } = job
    const { asking: parts, definition } = this.#parts
    const { giveUp, ...acting } = this.#actingFor(origin, hops)
    const limit = new RunLimit({
      clock: parts.clock,
      handler: at.handler,
      limit: definition.options.timeLimit ?? TIME_LIMIT_MS,
      onSlow: () => {
        this.#log.warn({ ...at, seconds: SLOW_MS / 1000 }, 'the handler takes long; others go on beside it')
        this.#slow.add(limit)
        parts.queues.goOnBeside(work)
        this.#parts.onSlow()
      },
    })
    const asking = new Asking(parts, { effects: acting.effects, giveUp, work, limit })
    const context = job.makeContext({ ...acting, state, asking })
    made(context)
    try {
      // What the handler left running is told of with its name.
      const running = HANDLER.run(at.handler, async () => job.run(context))
      await Promise.race([running, limit.over])
    } catch (error) {
      // It may go on for ever, but what it does has no effect any more.
      if (isTimeOver(error)) giveUp(error)
      throw error
    } finally {
      limit.end()
      this.#slow.delete(limit)
      asking.end()
    }
    return this.states?.save(work.chat, work.key, JSON.stringify(context.state))
  }

  async #stateFor({ chat, key }: Work): Promise<State> {
    const kept = await this.states?.load(chat, key)
    return kept === undefined ? (this.#parts.definition.options.state?.initial() as State) : JSON.parse(kept)
  }

  #isGivenUp(context: AnyContext<State> | undefined): boolean {
    if (this.#end.aborted) return true
    return context?.signal.aborted === true && !isTimeOver(context.signal.reason)
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

  /** Says which answers there are. */
  async hint(work: EventWork, hint: string) {
    const { message } = work
    const key = `${this.#parts.consumer}/${message.id}/hint`
    try {
      const { effects } = this.#actingFor(key, message.hops + 1)
      await this.#attempts.run(() => effects.send(message.from, hint, { key }), { most: MOST_RUNS })
    } catch (error) {
      if (!this.#end.aborted) this.#log.warn({ err: error, event: message.id }, 'could not say which answers there are')
    }
  }

  /** An error of a handler is its own affair: the bot goes on. */
  async #failed(error: unknown, context: AnyContext<State> | undefined, at: object, chat: string | undefined) {
    if (isLoop(error)) {
      const where = chat ?? ''
      if (this.#loops.has(where)) return
      this.#loops.set(where, true)
      this.#log.warn({ ...at, chat: where }, 'the server has stopped an exchange of bots')
      this.#parts.onLoop(where)
      return
    }
    const { onError } = this.#parts.definition
    try {
      if (onError === undefined || context === undefined) this.#log.error({ err: error, ...at }, 'a handler failed')
      else await onError(error, context)
    } catch (second) {
      this.#log.error({ err: second, ...at }, 'the error handler failed')
    }
  }

  async push(name: string, run: (context: PushContext) => unknown) {
    // Told once, to this process alone: what it does is done once over reconnects.
    const context = new PushContext(this.#actingFor(`push/${crypto.randomUUID()}`, 1))
    const handler = `on ${name}`
    try {
      await HANDLER.run(handler, async () => run(context))
    } catch (error) {
      if (!this.#end.aborted) await this.#failed(error, context, { handler }, undefined)
    }
  }

  #actingFor(origin: string, hops: number) {
    const { definition, client, identity } = this.#parts
    const run = new AbortController()
    const signal = AbortSignal.any([this.#end, run.signal])
    return {
      effects: new Effects(client, { origin, hops, signal }),
      client,
      bot: { name: definition.options.name, user: identity.user },
      log: this.#log,
      signal,
      giveUp: (reason: unknown) => run.abort(reason),
    }
  }
}

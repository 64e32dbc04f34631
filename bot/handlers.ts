import { LRUCache } from 'lru-cache'
import type { Client, Identity, KeptState } from '../client/index.ts'
import { Asking, type AskingParts } from './asking.ts'
import { type Attempts, isLoop, MOST_RUNS } from './attempts.ts'
import { MessageContext, PushContext, ScheduleContext } from './context.ts'
import type { AnyContext, Definition } from './definition.ts'
import { Effects } from './effects.ts'
import type { BotLog } from './log.ts'
import type { Route } from './router.ts'
import type { StateStore } from './state.ts'
import type { Work } from './work.ts'

/** Chats whose loop was told of, remembered so that it is told once. */
const REMEMBERED_LOOPS = 1000

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
}

/** Runs what a definition says, each run with a context of its own. Nothing here rejects. */
export class Handlers<State> {
  /** Undefined for a bot without state. Set before the first event. */
  states: StateStore | undefined
  readonly #parts: HandlersParts<State>
  readonly #log: BotLog
  readonly #attempts: Attempts
  readonly #end: AbortSignal
  readonly #loops = new LRUCache<string, true>({ max: REMEMBERED_LOOPS })
  /** Names of schedules that run. */
  readonly #due = new Set<string>()

  constructor(parts: HandlersParts<State>) {
    this.#parts = parts
    this.#log = parts.log
    this.#attempts = parts.attempts
    this.#end = parts.end
  }

  /** Runs the handler of an event, as often as need be; resolves with the state to keep, or with GIVEN_UP. */
  async message(work: Work, route: Route<State>): Promise<{ kept: KeptState | undefined } | typeof GIVEN_UP> {
    const { message } = work
    const at = { event: message.id, handler: route.handler }
    let kept: KeptState | undefined
    let context: MessageContext<State> | undefined
    try {
      kept = await this.#attempts.run(
        async () => {
          const run = await this.#begin(work, route)
          context = run.context
          try {
            await this.#throughMiddleware(run.context, route)
          } finally {
            run.asking.end()
          }
          return this.states?.save(work.chat, message.id, JSON.stringify(run.context.state))
        },
        {
          most: MOST_RUNS,
          onRetry: (error, pause) => this.#log.warn({ err: error, ...at, pause }, 'the handler runs again'),
        },
      )
    } catch (error) {
      if (!this.#isGivenUp(context)) await this.#failed(error, context, at, work.chat)
    }
    return this.#isGivenUp(context) ? GIVEN_UP : { kept }
  }

  /** One run of a handler. */
  async #begin(work: Work, { match }: Route<State>) {
    const { message, chat } = work
    const { definition, consumer } = this.#parts
    const kept = await this.states?.load(chat, message.id)
    const state = kept === undefined ? definition.options.state?.initial() : JSON.parse(kept)
    const { giveUp, ...acting } = this.#actingFor(`${consumer}/${message.id}`, message.hops + 1)
    const asking = new Asking(this.#parts.asking, { effects: acting.effects, giveUp, work })
    const context = new MessageContext<State>({ ...acting, message, chat, match, state: state as State, asking })
    return { context, asking }
  }

  #isGivenUp(context: AnyContext<State> | undefined): boolean {
    return this.#end.aborted || context?.signal.aborted === true
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
  async hint(work: Work, hint: string) {
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
    try {
      await run(context)
    } catch (error) {
      if (!this.#end.aborted) await this.#failed(error, context, { handler: `on ${name}` }, undefined)
    }
  }

  async schedule(name: string, time: Date, run: (context: ScheduleContext) => unknown) {
    const { consumer } = this.#parts
    const at = { handler: `schedule ${name}`, time }
    if (this.#due.has(name)) return this.#log.warn(at, 'the run before has not ended: this one is left out')
    this.#due.add(name)
    let context: ScheduleContext | undefined
    try {
      await this.#attempts.run(
        async () => {
          const { giveUp, ...acting } = this.#actingFor(`${consumer}/schedule/${name}/${time.getTime()}`, 1)
          const asking = new Asking(this.#parts.asking, { effects: acting.effects, giveUp })
          context = new ScheduleContext({ ...acting, time, asking })
          try {
            await run(context)
          } finally {
            asking.end()
          }
        },
        {
          most: MOST_RUNS,
          onRetry: (error, pause) => this.#log.warn({ err: error, ...at, pause }, 'the schedule runs again'),
        },
      )
    } catch (error) {
      if (!this.#isGivenUp(context)) await this.#failed(error, context, at, undefined)
    } finally {
      this.#due.delete(name)
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

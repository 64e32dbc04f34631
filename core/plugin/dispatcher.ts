import type { Clock } from '../clock.ts'
import { Refused } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { LOCAL_REF, type Rating, type Replies, type RequestSession, type Requests } from '../session/requests.ts'
import {
  type Catalogue,
  type ClientMessage,
  Done,
  decode,
  type FailureName,
  type Frame,
  type Message,
  readRef,
  WireError,
} from '../wire/index.ts'
import { HookRun, type Rule, refusalOf, withinTime } from './before.ts'
import { type Bus, isThenable } from './events.ts'
import { amended, faultOf, type Hook, Hooks, type Owned, type OwnedHook } from './hooks.ts'
import { PERMITTED } from './permissions.ts'
import type { PluginRecord } from './plugin-record.ts'
import { type Outcomes, RequestOutcomes } from './request-outcomes.ts'
import { type DatabaseLoad, RequestQueue, userOf } from './request-queue.ts'
import { isQueued, type Traits } from './traits.ts'

type Values = Record<string, unknown>
// biome-ignore lint/suspicious/noExplicitAny: typed at the door, App.handle
type Handler = (session: any, values: any, request: { readonly ref: number }) => unknown
type OwnedHandler = Owned<Handler> & Traits & { readonly outcomes: Outcomes }

/** A decoded message on its way to its handler. */
interface Request {
  readonly session: RequestSession
  readonly message: ClientMessage
  readonly ref: number
  readonly owner: OwnedHandler
  readonly replies: Replies
  /** Set for a request that the queue started; the queue is notified when it was answered. */
  readonly queuedFor?: string | undefined
}

export interface DispatcherParts {
  readonly catalogue: Catalogue
  readonly bus: Bus
  readonly limits: Limits
  readonly clock: Clock
  /** Tells a database that is down from a fault of a plugin. */
  readonly isUnavailable: (error: unknown) => boolean
  readonly databaseLoad: DatabaseLoad
}

/** From a request to its handler and back: permission, decoding, hooks. */
export class Dispatcher implements Requests {
  readonly outcomes = new RequestOutcomes()
  readonly #catalogue: Catalogue
  readonly #bus: Bus
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #isUnavailable: (error: unknown) => boolean
  readonly #queue: RequestQueue
  readonly #handlers = new Map<ClientMessage, OwnedHandler>()
  readonly #hooks = new Hooks()

  constructor({ catalogue, bus, limits, clock, isUnavailable, databaseLoad }: DispatcherParts) {
    this.#isUnavailable = isUnavailable
    this.#queue = new RequestQueue(limits.requestsAtOnce, databaseLoad)
    this.#catalogue = catalogue
    this.#bus = bus
    this.#limits = limits
    this.#clock = clock
  }

  /** Requests that run, and those that wait for their turn. */
  get load() {
    return this.#queue.load
  }

  /** Returns the function that takes the handler off again; undefined if the message has one already. */
  handle(message: ClientMessage, plugin: PluginRecord, run: Handler, traits: Traits): (() => void) | undefined {
    if (this.#handlers.has(message)) return undefined
    this.#handlers.set(message, { plugin, run, ...traits, outcomes: this.outcomes.of(message.name) })
    return () => this.#handlers.delete(message)
  }

  before(message: ClientMessage, plugin: PluginRecord, run: Hook, rule: Rule): () => void {
    return this.#hooks.add(message, { plugin, run, rule })
  }

  ratingOf(type: number): Rating {
    const message = this.#catalogue.byType(type)
    return message?.from !== 'client' || (this.#handlers.get(message)?.rated ?? true)
  }

  dispatch(session: RequestSession, frame: Frame, replies: Replies): Promise<void> | undefined {
    const message = this.#catalogue.byType(frame.type)
    const owner = this.#permitted(session, message)
    if (message?.from !== 'client' || typeof owner === 'string') {
      const refused = new Refused(typeof owner === 'string' ? owner : 'unknown_type')
      this.refused(frame.type, refused)
      replies.refuse(readRef(frame), refused)
      return undefined
    }
    const maxValues = session.user === undefined ? this.#limits.valuesBeforeLogin : this.#limits.values
    try {
      const { ref, values } = decode(message, frame, maxValues)
      return this.#start({ session, message, ref, owner, replies }, values, isQueued(owner, values))
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.#refuseBytes(session, message, frame, replies, error)
      return undefined
    }
  }

  refused(type: number, { code }: Refused) {
    const message = this.#catalogue.byType(type)
    this.outcomes.of(message?.from === 'client' ? message.name : 'unknown').refuse(code)
  }

  request(session: RequestSession, message: ClientMessage, values: Values, replies: Replies, mayQueue: boolean) {
    // Hooks and handlers belong to the very message of the catalogue: a copy would pass by the hooks.
    const isKnown = this.#catalogue.byType(message.type) === message
    const owner = this.#permitted(session, isKnown ? message : undefined)
    if (typeof owner === 'string') {
      const refused = new Refused(owner)
      this.refused(message.type, refused)
      replies.refuse(LOCAL_REF, refused)
      return undefined
    }
    const queues = mayQueue && isQueued(owner, values)
    return this.#start({ session, message, ref: LOCAL_REF, owner, replies }, values, queues)
  }

  /** The handler, or the failure if there is none or the session may not send the message. */
  #permitted(session: RequestSession, message: Message | undefined): OwnedHandler | FailureName {
    const owner = message?.from === 'client' ? this.#handlers.get(message) : undefined
    if (message?.from !== 'client' || owner === undefined) return 'unknown_type'
    return PERMITTED[message.allow](session) ?? owner
  }

  /** Starts a request, in its turn if it is queued. */
  #start(request: Request, values: Values, queues: boolean): Promise<void> | undefined {
    const { session, message } = request
    const hooks = this.#hooks.of(message)
    if (!queues) return this.#before(request, values, hooks)
    const queuedFor = userOf(session)
    const queued = { ...request, queuedFor }
    if (this.#queue.tryStart(queuedFor)) return this.#before(queued, values, hooks)
    return new Promise((resolve, reject) => {
      this.#queue.enqueue(queuedFor, () => {
        try {
          if (session.open) return resolve(this.#before(queued, values, hooks))
          // The session has closed: there is no reply to send.
          this.#ended(queued)
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #refuseBytes(session: RequestSession, message: ClientMessage, frame: Frame, replies: Replies, error: WireError) {
    const text = `${message.name}: ${error.message}`
    const failure = error.code === 'oversized' ? 'too_large' : 'protocol_error'
    const refused = new Refused(error.code === 'value' ? 'invalid_value' : failure, text)
    this.refused(message.type, refused)
    replies.refuse(readRef(frame), refused)
    // A malformed message: the session is closed, because the following bytes cannot be trusted.
    if (error.code !== 'value') session.close(failure)
  }

  /** Runs the hooks, synchronously until one returns a promise, then the handler. */
  #before(request: Request, values: Values, hooks: readonly OwnedHook[]): Promise<void> | undefined {
    for (let index = 0; index < hooks.length; index++) {
      const hook = hooks[index] as OwnedHook
      const run = new HookRun()
      try {
        const answer = hook.run(request.session, values, run)
        if (isThenable(answer)) {
          const answered = withinTime(answer, run, hook.rule.timeout, this.#clock)
          return this.#beforeLater(request, values, hook, hooks.slice(index + 1), answered)
        }
        values = amended(request.message, values, answer)
      } catch (error) {
        if (!this.#passes(request, hook, error)) return undefined
      }
    }
    return this.#handle(request, values)
  }

  /** Continues after the promise of a hook. */
  async #beforeLater(
    request: Request,
    values: Values,
    hook: OwnedHook,
    rest: readonly OwnedHook[],
    answered: Promise<unknown>,
  ) {
    const { session } = request
    // In flight, although no handler has it yet: a server that stops waits for it.
    session.requestStarted()
    try {
      values = amended(request.message, values, await answered)
    } catch (error) {
      if (!this.#passes(request, hook, error)) return
    } finally {
      session.requestEnded()
    }
    await this.#before(request, values, rest)
  }

  /** True if the message continues after a hook's error; otherwise it was refused. */
  #passes(request: Request, hook: OwnedHook, error: unknown): boolean {
    const { plugin, rule } = hook
    if (error instanceof Refused) {
      this.#refuse(request, error)
      return false
    }
    const isOpen = rule.failure === 'open'
    if (this.#isUnavailable(error)) {
      this.#unavailable(request, plugin, error, !isOpen)
      return isOpen
    }
    plugin.failed(error, `before ${request.message.name} ${faultOf(error)}`)
    if (!isOpen) this.#refuse(request, refusalOf(rule, error))
    return isOpen
  }

  #handle(request: Request, values: Values): Promise<void> | undefined {
    const { session, owner } = request
    try {
      const result = owner.run(session, values, { ref: request.ref })
      if (!isThenable(result)) {
        this.#succeeded(request, values, result)
        return undefined
      }
      session.requestStarted()
      const answered = Promise.resolve(result).then(
        (reply) => {
          this.#succeeded(request, values, reply)
          session.requestEnded()
        },
        (error) => {
          this.#failed(request, owner.plugin, error)
          session.requestEnded()
        },
      )
      return owner.serial ? answered : undefined
    } catch (error) {
      this.#failed(request, owner.plugin, error)
      return undefined
    }
  }

  #succeeded(request: Request, values: Values, reply: unknown) {
    const { session, message, ref, owner, replies } = request
    try {
      if (ref !== 0) replies.reply(message.reply ?? Done, ref, (reply ?? {}) as Values)
    } catch (error) {
      this.#failed(request, owner.plugin, error)
      return
    }
    owner.outcomes.ok++
    this.#ended(request)
    this.#bus.emit(message.name, session, values, reply)
  }

  #refuse(request: Request, refused: Refused) {
    request.owner.outcomes.refuse(refused.code)
    try {
      request.replies.refuse(request.ref, refused)
    } finally {
      this.#ended(request)
    }
  }

  /** Every request comes here once, answered or refused. */
  #ended({ queuedFor }: Pick<Request, 'queuedFor'>) {
    if (queuedFor !== undefined) this.#queue.ended(queuedFor)
  }

  #failed(request: Request, plugin: PluginRecord, error: unknown) {
    if (error instanceof Refused) this.#refuse(request, error)
    else if (this.#isUnavailable(error)) this.#unavailable(request, plugin, error)
    else {
      plugin.failed(error, request.message.name)
      this.#refuse(request, new Refused('internal'))
    }
  }

  /** No fault of the plugin's. */
  #unavailable(request: Request, plugin: PluginRecord, error: unknown, refuses = true) {
    plugin.log.warn({ err: error, event: request.message.name }, 'the database is not available')
    if (refuses) this.#refuse(request, new Refused('unavailable', undefined, { retryAfter: RETRY_MS, cause: error }))
  }
}

/** Pause before a request may be repeated after a failure of the database. */
const RETRY_MS = 1000

import { EventEmitter } from 'eventemitter3'
import { type ChatMessage, type Client, ConsumerTaken, type Identity, type KeptState } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import { Asks } from './asks.ts'
import { Attempts } from './attempts.ts'
import { ChatQueues } from './chat-queues.ts'
import { chatOf, laneOf } from './chats.ts'
import type { BotLifeEvents, Definition } from './definition.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { Elsewhere } from './elsewhere.ts'
import { BotError } from './errors.ts'
import { GIVEN_UP, Handlers } from './handlers.ts'
import type { BotLog } from './log.ts'
import { ReadMarks } from './read-marks.ts'
import { Router } from './router.ts'
import { Schedules } from './schedules.ts'
import { openState } from './state.ts'
import { type EventWork, isEvent, type ScheduleWork, type Work } from './work.ts'

const DEFAULT_CONCURRENCY = 8
/** How long handlers may take to finish when the bot stops, milliseconds. */
const GRACE_MS = 10_000
/**
 * So many events unfinished, most of them behind questions, and the oldest question is given up: the server hands out at
 * most 100 (its limit `unacknowledged`), and the bot would hear nothing more, the answers least of all.
 */
const MOST_UNFINISHED = 80
/** An acknowledgement that the server cannot take now is not given up: the event would come again. */
const ALWAYS = { most: Number.POSITIVE_INFINITY }

export interface RunningParts<State> {
  readonly definition: Definition<State>
  readonly client: Client
  readonly identity: Identity
  readonly consumer: string
  readonly clock: Clock
  readonly log: BotLog
  /** A new consumer begins with the first message there is. */
  readonly all: boolean
}

/** A bot at work. */
export class RunningBot<State = unknown> {
  readonly client: Client
  /** Resolves when the bot was stopped; rejects with the error that ended it. */
  readonly done: Promise<void>
  readonly #parts: RunningParts<State>
  readonly #log: BotLog
  readonly #router: Router<State>
  readonly #queues: ChatQueues<Work>
  readonly #asks: Asks
  readonly #elsewhere: Elsewhere
  readonly #handlers: Handlers<State>
  readonly #attempts: Attempts
  readonly #marks: ReadMarks
  readonly #doorkeeper: Doorkeeper
  readonly #life = new EventEmitter<BotLifeEvents>()
  readonly #schedules: Schedules<State>
  /** Aborted when no more events are wanted. */
  readonly #reading = new AbortController()
  /** Aborted when handlers have to end. */
  readonly #end = new AbortController()
  #unfinished = 0
  #settle: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} }
  #stopping: Promise<void> | undefined

  constructor(parts: RunningParts<State>) {
    const { definition, client, identity, consumer, clock, log } = parts
    const { options } = definition
    this.#parts = parts
    this.client = client
    this.#log = log
    this.#router = new Router(definition, identity.user)
    this.#queues = new ChatQueues<Work>(
      options.concurrency ?? DEFAULT_CONCURRENCY,
      (work) => (isEvent(work) ? this.#handle(work) : this.#runSchedule(work as ScheduleWork)),
      (work) => this.#elsewhere.isAwaited(work.key),
    )
    this.#asks = new Asks(clock)
    this.#elsewhere = new Elsewhere(client, consumer, this.#queues)
    this.#attempts = new Attempts(client, clock, this.#end.signal)
    this.#handlers = new Handlers({
      definition,
      client,
      identity,
      consumer,
      log,
      attempts: this.#attempts,
      asking: { asks: this.#asks, queues: this.#queues, elsewhere: this.#elsewhere, clock },
      end: this.#end.signal,
      onLoop: (chat) => this.#life.emit('loop', chat),
      onSlow: () => this.#makeRoom(),
    })
    this.#schedules = new Schedules({
      schedules: definition.schedules,
      client,
      consumer,
      clock,
      log,
      begin: (work) => this.#queues.push(laneOf(work.chat), work),
    })
    this.#marks = new ReadMarks(client, log)
    const { friends = 'accept', invitations = 'accept', groups = [] } = options
    this.#doorkeeper = new Doorkeeper(client, { friends, invitations, groups }, log)
    for (const { event, listener } of definition.life) this.#life.on(event, listener as never)
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Whoever does not look at it must not be ended by it.
    this.done.catch(() => {})
  }

  /** Told of the bot's life, besides the listeners of its definition. Returns the function that ends it. */
  onLife<E extends keyof BotLifeEvents>(event: E, listener: (...payload: BotLifeEvents[E]) => void): () => void {
    this.#life.on(event, listener as never)
    return () => this.#life.off(event, listener as never)
  }

  /** Begins to take events; resolves when they come. Called once, by `Bot.start`. */
  async run() {
    const { client } = this
    const { definition, consumer, all } = this.#parts
    const { state, backlog } = definition.options
    this.#listen()
    this.#doorkeeper.listen()
    await this.#doorkeeper.join()

    let consuming = () => {}
    const isConsuming = new Promise<void>((resolve) => {
      consuming = resolve
    })
    const events = client.events(consumer, {
      all,
      ...(backlog && { maxAge: backlog.maxAge }),
      signal: this.#reading.signal,
      onConsuming: () => consuming(),
    })
    const first = events.next()
    // Looked at in `#read`, which may not be reached.
    first.catch(() => {})
    await Promise.race([isConsuming, first])
    // Before any event is handled.
    if (state !== undefined) this.#handlers.states = await openState(state.in, { client, consumer })
    const unfinished = await this.#schedules.unfinished()
    await this.#elsewhere.restore(unfinished.map(({ key }) => key))
    for (const work of unfinished) this.#queues.push(laneOf(work.chat), work)
    void this.#read(first, events)
    await this.#doorkeeper.catchUp()
    this.#schedules.start()
    this.#log.info({ user: this.#parts.identity.user, consumer }, 'the bot is at work')
    this.#life.emit('started')
  }

  /** Hears of the connection, of its consumer and of pushes. */
  #listen() {
    const { client } = this
    const { definition, consumer } = this.#parts
    client.onLife('disconnected', (error) => {
      this.#log.warn({ err: error }, 'the connection is lost')
      this.#life.emit('disconnected', error)
    })
    client.onLife('reconnected', () => {
      this.#log.info('connected again')
      void this.#doorkeeper.comeBack()
      this.#life.emit('reconnected')
    })
    client.onLife('restored', () =>
      this.#fail(new BotError('server_restored', 'the server was restored from a backup: the bot has to begin anew')),
    )
    client.on(ConsumerTaken, (taken) => {
      if (taken.consumer !== consumer) return
      this.#fail(new BotError('consumer_taken', `another process has taken over as the consumer "${consumer}"`))
    })
    for (const push of definition.pushes)
      client.on(
        push.message,
        (values) => void this.#handlers.push(push.message.name, (context) => push.run(values, context)),
      )
  }

  /**
   * Takes no more events and lets the handlers finish. What is not finished by then comes again at the next start.
   * @param grace milliseconds, default 10 s
   */
  stop({ grace = GRACE_MS }: { grace?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(grace)
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(grace: number, error?: unknown) {
    this.#reading.abort()
    this.#schedules.stop()
    const finished = this.#queues.stop()
    // The answer to a question comes at the next start.
    this.#asks.abandon(new BotStopped())
    if (grace > 0) await this.#within(grace, finished)
    this.#end.abort(new BotStopped())
    await this.client.close()
    this.#log.info('the bot has stopped')
    if (error === undefined) this.#settle.resolve()
    else this.#settle.reject(error)
    this.#life.emit('stopped', error)
  }

  #within(ms: number, finished: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(ms, resolve)
      void finished.then(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  /** Ends the bot: handlers under way cannot finish what they do. */
  #fail(error: unknown) {
    if (this.#stopping !== undefined) return
    this.#log.error({ err: error }, 'the bot has to end')
    this.#end.abort(new BotStopped())
    this.#stopping = this.#stop(0, error)
  }

  async #read(first: Promise<IteratorResult<ChatMessage>>, events: AsyncGenerator<ChatMessage>) {
    try {
      // The server's window bounds how many are taken and not finished.
      for (let next = await first; !next.done; next = await events.next()) this.#receive(next.value)
      // Whoever closed the client did not ask for more either.
      await this.stop()
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(message: ChatMessage) {
    const work: EventWork = { key: String(message.id), message, chat: chatOf(message), answers: new Map() }
    const lane = laneOf(work.chat)
    this.#unfinished++
    this.#elsewhere.arrived(message.id)
    if (!this.#isWanted(message)) return void this.#finish(work)
    const taken = this.#asks.take(lane, message)
    // Its asker finishes it.
    if (taken === true) return
    if (taken !== false) return void this.#sendHint(work, taken.hint)
    // While a question waits, what nobody would handle passes by.
    if (this.#asks.has(lane) && this.#router.route(message) === undefined) return void this.#finish(work)
    this.#queues.push(lane, work)
    this.#makeRoom()
  }

  /** The server hands out no more while too much is unfinished. */
  #makeRoom() {
    const unfinished = this.#unfinished
    if (unfinished < MOST_UNFINISHED) return
    if (this.#asks.giveUpOldest())
      this.#log.warn({ unfinished }, 'too much waits behind open questions: the oldest was given up')
    else if (this.#handlers.endSlowest())
      this.#log.warn({ unfinished }, 'too much waits behind handlers that do not end: the oldest was given up')
  }

  #isWanted({ kind, from }: ChatMessage): boolean {
    if (from === this.#parts.identity.user) return false
    return (
      kind === 'chat' ||
      kind === 'group' ||
      (kind === 'system' && this.#parts.definition.options.systemMessages === true)
    )
  }

  /** Runs the handler of an event; then the event is acknowledged. Does not reject. */
  async #handle(work: EventWork) {
    const route = this.#router.route(work.message)
    if (route === undefined) return this.#finish(work)
    const outcome = await this.#handlers.message(work, route)
    // It comes again at the next start.
    if (outcome === GIVEN_UP) return
    await this.#finish(work, { ...outcome, isHandled: true })
  }

  /** Runs the handler of a schedule; then its record and its answers are put away. Does not reject. */
  async #runSchedule(work: ScheduleWork) {
    const outcome = await this.#handlers.schedule(work, this.#schedules.definitionOf(work))
    // It goes on at the next start.
    if (outcome === GIVEN_UP) return
    await this.#putAway(work, () => this.#schedules.finished(work, outcome.kept))
    for (const answer of work.answers.values()) this.#marks.mark(answer)
  }

  async #sendHint(work: EventWork, hint: string) {
    await this.#handlers.hint(work, hint)
    if (!this.#end.signal.aborted) await this.#finish(work)
  }

  /** The event is done with, and so are the answers that its handler took. */
  async #finish(
    work: EventWork,
    { kept, isHandled = false }: { kept?: KeptState | undefined; isHandled?: boolean } = {},
  ) {
    const { message, answers } = work
    const done = [message, ...answers.values()]
    const isAway = await this.#putAway(work, async () => {
      // All in one turn, so they leave together.
      await Promise.all(
        done.map(({ id }) =>
          this.client.acknowledgeEvent(this.#parts.consumer, id, id === message.id ? kept : undefined),
        ),
      )
    })
    this.#unfinished--
    if (isAway && isHandled) for (const handled of done) this.#marks.mark(handled)
  }

  /** False when the bot has to end instead. */
  async #putAway(work: Work, acknowledge: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.#attempts.run(acknowledge, ALWAYS)
      await this.#attempts.run(() => this.#elsewhere.finished(work.key), ALWAYS)
      return true
    } catch (error) {
      if (!this.#end.signal.aborted) this.#fail(error)
      return false
    } finally {
      this.#unfinished -= work.answers.size
    }
  }
}

/** What the promises of a handler reject with when the bot stops: its event comes again at the next start. */
class BotStopped extends Error {
  constructor() {
    super('the bot stops')
    this.name = 'BotStopped'
  }
}

import { type ChatMessage, type Client, type Identity, type KeptState, MessageRecalled } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import { ChatQueues } from './chat-queues.ts'
import { chatOf, laneOf } from './chats.ts'
import type { PushContext } from './context.ts'
import { CostGuard } from './cost-guard.ts'
import { CrossChatQuestions } from './cross-chat-questions.ts'
import { Debouncer } from './debouncer.ts'
import type { Definition } from './definition.ts'
import { BotStopped } from './errors.ts'
import { ABANDONED, HandlerRunner } from './handler-runner.ts'
import type { BotLog } from './log.ts'
import { OpenQuestions } from './open-questions.ts'
import { ReadMarks } from './read-marks.ts'
import { Retrier } from './retrier.ts'
import { type Route, Router } from './router.ts'
import { Schedules } from './schedules.ts'
import { openState } from './state.ts'
import { type EventWork, isEvent, type ScheduleWork, type Work } from './work.ts'

const DEFAULT_CONCURRENCY = 8
/**
 * Unfinished events at which the oldest question or slow handler is expired. The server delivers at most 100 events that
 * are not acknowledged (its limit `unacknowledged`); beyond that the bot would receive no answers either.
 */
const MAX_UNFINISHED_EVENTS = 80
/** Acknowledgements are retried until the bot ends: otherwise the event would be handled again. */
const UNLIMITED = { maxAttempts: Number.POSITIVE_INFINITY }

export interface EventProcessorParts<State> {
  readonly definition: Definition<State>
  readonly client: Client
  readonly identity: Identity
  readonly consumer: string
  readonly clock: Clock
  readonly log: BotLog
  /** Aborted when handlers must end. */
  readonly end: AbortSignal
  /** Called once per chat in which the server stopped a bot loop. */
  readonly onLoop: (chat: string) => void
  /** Called with an error that must end the bot. */
  readonly onFatal: (error: unknown) => void
}

/** Handles events and schedule runs in the order of their chats, and acknowledges them afterwards. */
export class EventProcessor<State> {
  readonly #parts: EventProcessorParts<State>
  readonly #log: BotLog
  readonly #router: Router<State>
  readonly #queues: ChatQueues<Work>
  readonly #questions: OpenQuestions
  readonly #crossChat: CrossChatQuestions
  readonly #handlers: HandlerRunner<State>
  readonly #retrier: Retrier
  readonly #marks: ReadMarks
  readonly #schedules: Schedules<State>
  readonly #debouncer: Debouncer
  readonly #guard: CostGuard | undefined
  #unfinished = 0

  constructor(parts: EventProcessorParts<State>) {
    const { definition, client, identity, consumer, clock, log, end } = parts
    this.#parts = parts
    this.#log = log
    this.#router = new Router(definition, identity.user)
    this.#queues = new ChatQueues<Work>(
      definition.options.concurrency ?? DEFAULT_CONCURRENCY,
      (work) => (isEvent(work) ? this.#handle(work) : this.#runSchedule(work as ScheduleWork)),
      (work) => this.#crossChat.isAwaited(work.key),
    )
    this.#questions = new OpenQuestions(clock)
    this.#crossChat = new CrossChatQuestions(client, consumer, this.#queues)
    this.#retrier = new Retrier(client, clock, end)
    this.#handlers = new HandlerRunner({
      definition,
      client,
      identity,
      consumer,
      log,
      retrier: this.#retrier,
      asking: { questions: this.#questions, queues: this.#queues, crossChat: this.#crossChat, clock },
      end,
      onLoop: parts.onLoop,
      onSlow: () => this.#relieveWindow(),
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
    const { debounce = 0, perUser } = definition.options
    this.#debouncer = new Debouncer(clock, debounce, (lane, work) => this.#queues.push(lane, work))
    this.#guard = perUser && new CostGuard(clock, perUser.perHour)
    client.on(MessageRecalled, ({ id, from, group }) => {
      this.#recalled(id, laneOf(chatOf({ from, ...(group !== '' && { group }) })))
    })
  }

  /** Loads the stored state and resumes unfinished schedule runs. Call before the first event. */
  async open() {
    const { client, consumer, definition } = this.#parts
    const { state } = definition.options
    if (state !== undefined) this.#handlers.states = await openState(state.in, { client, consumer })
    const unfinished = await this.#schedules.unfinished()
    await this.#crossChat.restore(unfinished.map(({ key }) => key))
    for (const work of unfinished) this.#queues.push(laneOf(work.chat), work)
  }

  startSchedules() {
    this.#schedules.start()
  }

  /** Starts no more work and abandons open questions; resolves when running handlers have ended. */
  stop(): Promise<void> {
    this.#schedules.stop()
    this.#debouncer.stop()
    const finished = this.#queues.stop()
    // Their answers come again at the next start.
    this.#questions.abandon(new BotStopped())
    return finished
  }

  receive(message: ChatMessage) {
    const work: EventWork = { key: String(message.id), message, chat: chatOf(message), answers: new Map() }
    const lane = laneOf(work.chat)
    this.#unfinished++
    this.#crossChat.arrived(message.id)
    if (!this.#isWanted(message)) return void this.#finish(work)
    const taken = this.#questions.take(lane, message)
    // Acknowledged with the event whose handler asked.
    if (taken === true) return
    if (taken !== false) return void this.#sendHint(work, taken.hint)
    if (this.#isStop(message)) return void this.#finish(work)
    const route = this.#router.route(message)
    // Messages without a handler must not wait behind an open question.
    if (this.#questions.has(lane) && route === undefined) return void this.#finish(work)
    if (route?.isFallback && (this.#parts.definition.options.debounce ?? 0) > 0) this.#debouncer.add(lane, work)
    else {
      this.#debouncer.flush(lane)
      this.#queues.push(lane, work)
    }
    this.#relieveWindow()
  }

  /** Whether the message has stopped a run that answers an earlier one of the same user. */
  #isStop({ text, from, group }: ChatMessage): boolean {
    const { stop } = this.#parts.definition.options
    if (stop === undefined || text.trim().toLowerCase() !== stop.toLowerCase()) return false
    return this.#handlers.cancel(
      (message) => message.from === from && message.group === group,
      'the sender has stopped it',
    )
  }

  /** Nobody waits for an answer to a recalled message any more. */
  #recalled(id: number, lane: string) {
    this.#handlers.cancel((message) => message.id === id, 'the message was recalled')
    const isRecalled = (work: Work) => isEvent(work) && work.message.id === id
    const waiting = this.#debouncer.remove(lane, id) ?? this.#queues.withdraw(lane, isRecalled)
    if (waiting !== undefined) void this.#finish(waiting as EventWork)
  }

  /** Runs the handler of a push. */
  push(name: string, run: (context: PushContext) => unknown) {
    void this.#handlers.push(name, run)
  }

  /** Near the server's limit of unacknowledged events, expires the oldest question, else the oldest slow handler. */
  #relieveWindow() {
    const unfinished = this.#unfinished
    if (unfinished < MAX_UNFINISHED_EVENTS) return
    if (this.#questions.expireOldest())
      this.#log.warn({ unfinished }, 'too many events wait behind open questions: expired the oldest question')
    else if (this.#handlers.expireOldestSlow())
      this.#log.warn({ unfinished }, 'too many events wait behind slow handlers: timed out the oldest handler')
  }

  #isWanted({ kind, from }: ChatMessage): boolean {
    if (from === this.#parts.identity.user) return false
    return (
      kind === 'chat' ||
      kind === 'group' ||
      (kind === 'system' && this.#parts.definition.options.systemMessages === true)
    )
  }

  /** Runs the handler of an event, then acknowledges the event. Does not reject. */
  async #handle(work: EventWork) {
    const route = this.#router.route(work.message)
    if (route === undefined || !(await this.#mayCost(work, route))) return this.#finish(work)
    const outcome = await this.#handlers.message(work, route)
    // The event comes again at the next start.
    if (outcome === ABANDONED) return
    await this.#finish(work, { ...outcome, isHandled: true })
  }

  /** Counts a run of `message`; beyond the limit of its user, the user is told once. */
  async #mayCost(work: EventWork, { isFallback }: Route<State>): Promise<boolean> {
    const over = isFallback ? this.#guard?.take(work.message.from) : undefined
    if (over?.isNews)
      await this.#handlers.hint(work, `That is enough for this hour. Ask me again in ${over.minutes} minutes.`)
    return over === undefined
  }

  /** Runs the handler of a schedule, then completes its record and acknowledges its answers. Does not reject. */
  async #runSchedule(work: ScheduleWork) {
    const outcome = await this.#handlers.schedule(work, this.#schedules.definitionOf(work))
    // Resumed at the next start.
    if (outcome === ABANDONED) return
    await this.#complete(work, () => this.#schedules.finished(work, outcome.kept))
    for (const answer of work.answers.values()) this.#marks.mark(answer)
  }

  async #sendHint(work: EventWork, hint: string) {
    await this.#handlers.hint(work, hint)
    if (!this.#parts.end.aborted) await this.#finish(work)
  }

  /** Acknowledges an event and the answers that its handler received. */
  async #finish(
    work: EventWork,
    { kept, isHandled = false }: { kept?: KeptState | undefined; isHandled?: boolean } = {},
  ) {
    const { client, consumer } = this.#parts
    const { message, earlier = [], answers } = work
    const done = [...earlier, message, ...answers.values()]
    const isComplete = await this.#complete(work, async () => {
      // All in one turn of the event loop, so that they leave in one write.
      await Promise.all(
        done.map(({ id }) => client.acknowledgeEvent(consumer, id, id === message.id ? kept : undefined)),
      )
    })
    this.#unfinished -= 1 + earlier.length
    if (isComplete && isHandled) for (const handled of done) this.#marks.mark(handled)
  }

  /** Acknowledges work, with retries. False when the bot ends instead. */
  async #complete(work: Work, acknowledge: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.#retrier.run(acknowledge, UNLIMITED)
      await this.#retrier.run(() => this.#crossChat.finished(work.key), UNLIMITED)
      return true
    } catch (error) {
      if (!this.#parts.end.aborted) this.#parts.onFatal(error)
      return false
    } finally {
      this.#unfinished -= work.answers.size
    }
  }
}

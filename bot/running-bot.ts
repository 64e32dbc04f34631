import { EventEmitter } from 'eventemitter3'
import { type ChatMessage, type Client, ConsumerTaken, type Identity } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import { AutoAccept } from './auto-accept.ts'
import type { BotLifeEvents, Definition } from './definition.ts'
import { BotError, BotStopped } from './errors.ts'
import { EventProcessor } from './event-processor.ts'
import type { BotLog } from './log.ts'

/** Time for handlers to finish when the bot stops. */
const GRACE_MS = 10_000

export interface RunningParts<State> {
  readonly definition: Definition<State>
  readonly client: Client
  readonly identity: Identity
  readonly consumer: string
  readonly clock: Clock
  readonly log: BotLog
  /** Whether a new consumer starts at the first stored message instead of the next one. */
  readonly all: boolean
}

/** A started bot: its connection, its life events and its end. */
export class RunningBot<State = unknown> {
  readonly client: Client
  /** Resolves when the bot was stopped; rejects with the error that ended it. */
  readonly done: Promise<void>
  readonly #parts: RunningParts<State>
  readonly #log: BotLog
  readonly #processor: EventProcessor<State>
  readonly #autoAccept: AutoAccept
  readonly #life = new EventEmitter<BotLifeEvents>()
  /** Aborted to stop receiving events. */
  readonly #reading = new AbortController()
  /** Aborted when handlers must end. */
  readonly #end = new AbortController()
  #settle: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} }
  #stopping: Promise<void> | undefined

  constructor(parts: RunningParts<State>) {
    const { definition, client, log } = parts
    this.#parts = parts
    this.client = client
    this.#log = log
    this.#processor = new EventProcessor({
      ...parts,
      end: this.#end.signal,
      onLoop: (chat) => this.#life.emit('loop', chat),
      onFatal: (error) => this.#fail(error),
    })
    const { friends = 'accept', invitations = 'accept', groups = [] } = definition.options
    this.#autoAccept = new AutoAccept(client, { friends, invitations, groups }, log)
    for (const { event, listener } of definition.life) this.#life.on(event, listener as never)
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Without a caller that awaits it, this must not be an unhandled rejection.
    this.done.catch(() => {})
  }

  /** Adds a listener to those of the definition. Returns a function that removes it. */
  onLife<E extends keyof BotLifeEvents>(event: E, listener: (...payload: BotLifeEvents[E]) => void): () => void {
    this.#life.on(event, listener as never)
    return () => this.#life.off(event, listener as never)
  }

  /** Starts consuming; resolves when the server has begun to deliver events. Called once, by `Bot.start`. */
  async run() {
    const { client } = this
    const { definition, consumer, all } = this.#parts
    const { backlog } = definition.options
    this.#listen()
    this.#autoAccept.listen()
    await this.#autoAccept.join()

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
    // `#read` handles its rejection, but is not reached if a step before it fails.
    first.catch(() => {})
    await Promise.race([isConsuming, first])
    await this.#processor.open()
    void this.#read(first, events)
    await this.#autoAccept.catchUp()
    this.#processor.startSchedules()
    this.#log.info({ user: this.#parts.identity.user, consumer }, 'the bot has started')
    this.#life.emit('started')
  }

  /** Subscribes to connection events, to the loss of the consumer and to pushes. */
  #listen() {
    const { client } = this
    const { definition, consumer } = this.#parts
    client.onLife('disconnected', (error) => {
      this.#log.warn({ err: error }, 'connection lost')
      this.#life.emit('disconnected', error)
    })
    client.onLife('reconnected', () => {
      this.#log.info('reconnected')
      void this.#autoAccept.resume()
      this.#life.emit('reconnected')
    })
    client.onLife('restored', () =>
      this.#fail(new BotError('server_restored', 'the server was restored from a backup: start the bot again')),
    )
    client.on(ConsumerTaken, (taken) => {
      if (taken.consumer !== consumer) return
      this.#fail(new BotError('consumer_taken', `another process has taken over the consumer "${consumer}"`))
    })
    for (const push of definition.pushes)
      client.on(push.message, (values) =>
        this.#processor.push(push.message.name, (context) => push.run(values, context)),
      )
  }

  /**
   * Receives no more events and lets running handlers finish. Events not handled by then come again at the next start.
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
    const finished = this.#processor.stop()
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

  /** Ends the bot at once: running handlers are abandoned. */
  #fail(error: unknown) {
    if (this.#stopping !== undefined) return
    this.#log.error({ err: error }, 'fatal error: the bot ends')
    this.#end.abort(new BotStopped())
    this.#stopping = this.#stop(0, error)
  }

  async #read(first: Promise<IteratorResult<ChatMessage>>, events: AsyncGenerator<ChatMessage>) {
    try {
      // Bounded by the server's window of unacknowledged events.
      for (let next = await first; !next.done; next = await events.next()) this.#processor.receive(next.value)
      // The client was closed by its owner.
      await this.stop()
    } catch (error) {
      this.#fail(error)
    }
  }
}

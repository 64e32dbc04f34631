import { setTimeout as sleep } from 'node:timers/promises'
import type { ChatMessage, Client } from '../../client/index.ts'
import { CliError } from '../errors/exit.ts'
import { refusalOf } from '../errors/refusal.ts'
import { pauseOf } from '../errors/transient.ts'
import type { SavedMessage, SaveFile } from '../files/arrivals.ts'
import { HandlerError, type HandlerProgram } from './program.ts'

const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 30_000
/** Time for running handlers to finish after the queue is stopped. */
const GRACE_MS = 10_000

export interface HandlerQueueOptions {
  readonly handler: HandlerProgram
  /** Most runs at the same time. */
  readonly jobs: number
  /** Retries for a message after its first run failed. */
  readonly retries: number
  /** Saves the file of a message before its first run. */
  readonly save: SaveFile | undefined
  note(text: string): void
  /** Called when the answer to a message is stored and the message acknowledged. `replyId` undefined: no answer. */
  onHandled(message: ChatMessage, replyId: number | undefined): Promise<void>
  /** Called once, when a message has failed for good: no further run starts. */
  onFailed(): void
}

/**
 * Runs a handler program for each message: several at a time, but one at a time and in order in each conversation,
 * since acknowledging a message acknowledges all before it.
 */
export class HandlerQueue {
  readonly #client: Client
  readonly #options: HandlerQueueOptions
  readonly #queues = new Map<string, ChatMessage[]>()
  /** Conversations with messages and no run in flight. */
  readonly #ready: string[] = []
  readonly #stop = new AbortController()
  /** Aborted when the grace time is over. */
  readonly #graceOver = new AbortController()
  #running = 0
  #failure: Error | undefined
  #idle: (() => void)[] = []

  constructor(client: Client, options: HandlerQueueOptions) {
    this.#client = client
    this.#options = options
  }

  push(message: ChatMessage) {
    const key = message.group === undefined ? `user ${message.from}` : `group ${message.group}`
    const queue = this.#queues.get(key)
    if (queue !== undefined) queue.push(message)
    else {
      this.#queues.set(key, [message])
      this.#ready.push(key)
    }
    this.#startRuns()
  }

  /** Resolves when no run is in flight and none can start. */
  async idle() {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Starts no further run; waits for those in flight, kills them after the grace time. @throws the failure of the queue, if any */
  async finish() {
    this.#stop.abort()
    const { handler } = this.#options
    const timer = setTimeout(() => handler.kill(), GRACE_MS)
    // The same bound for an answer that cannot be stored.
    await Promise.race([this.idle(), sleep(GRACE_MS + 1000, undefined, { ref: false })])
    clearTimeout(timer)
    this.#graceOver.abort()
    if (this.#failure !== undefined) throw this.#failure
  }

  #startRuns() {
    while (this.#running < this.#options.jobs && !this.#stop.signal.aborted) {
      const key = this.#ready.shift()
      if (key === undefined) return
      this.#running++
      void this.#runNext(key)
    }
  }

  async #runNext(key: string) {
    const queue = this.#queues.get(key) as ChatMessage[]
    try {
      await this.#handle(queue[0] as ChatMessage)
      queue.shift()
    } catch (error) {
      // After stop an error is no failure: the message stays unread.
      if (!this.#stop.signal.aborted) this.#failure = error as Error
      this.#stop.abort()
      this.#options.onFailed()
    }
    if (queue.length > 0) this.#ready.push(key)
    else this.#queues.delete(key)
    this.#running--
    this.#startRuns()
    if (this.#running > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #handle(message: ChatMessage) {
    const { save } = this.#options
    const replyId = await this.#answer((await save?.(this.#client, message, this.#stop.signal)) ?? message)
    await this.#acknowledge(message)
    await this.#options.onHandled(message, replyId)
  }

  /** A refusal (the group or the sender is gone) is reported and does not stop the queue. */
  async #acknowledge(message: ChatMessage) {
    try {
      await this.#retryWhileTransient(() => this.#client.acknowledge(message, { signal: this.#graceOver.signal }))
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      const { id, from } = message
      this.#options.note(`message ${id} of ${from} could not be marked as read: ${refusal.message}`)
    }
  }

  /** Runs the handler until it succeeds, with back-off. @throws CliError after the last retry */
  async #answer(message: SavedMessage): Promise<number | undefined> {
    const { handler, retries, note } = this.#options
    for (let tries = 1, pause = FIRST_PAUSE_MS; ; tries++, pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      try {
        return await this.#reply(message, await handler.run(message))
      } catch (error) {
        if (!(error instanceof HandlerError)) throw error
        const what = `the handler of message ${message.id} of ${message.from} failed: ${error.message}`
        if (tries > retries)
          throw new CliError(
            'failed',
            `${what}; tried ${tries} time(s)`,
            'the message stays unread, nothing was skipped',
          )
        note(`${what}; tried again in ${pause / 1000} s`)
        await sleep(pause, undefined, { signal: this.#stop.signal })
      }
    }
  }

  /** @throws HandlerError when the server refuses the answer as too large */
  async #reply(message: ChatMessage, text: string): Promise<number | undefined> {
    const { from, group, id, hops } = message
    // No answer to a note to oneself, nor to a system message.
    const isAnswered = text !== '' && message.kind !== 'system' && (group !== undefined || from !== message.to)
    if (!isAnswered) return undefined
    try {
      const options = { clientId: `exec-${id}`, hops: Math.min(hops + 1, 255) }
      return (await this.#retryWhileTransient(() => this.#client.reply(message, text, options))).id
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      const { failure, message: why } = refusal
      if (failure === 'too_large') throw new HandlerError(why)
      // After a restart the handler may give another answer to a message that has one.
      if (failure === 'client_id_reused') this.#options.note(`message ${id} of ${from} was answered before`)
      else this.#options.note(`the answer to message ${id} of ${from} was refused: ${why}`)
      return undefined
    }
  }

  /** Retries a request after a time-out, a lost connection or a transient refusal, until the queue is stopped. */
  async #retryWhileTransient<T>(request: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await request()
      } catch (error) {
        const pause = pauseOf(error)
        if (pause === undefined || this.#stop.signal.aborted) throw error
        this.#options.note(`${(error as Error).message}; retrying`)
        await sleep(pause, undefined, { signal: this.#stop.signal })
      }
    }
  }
}

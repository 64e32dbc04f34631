import { setTimeout as sleep } from 'node:timers/promises'
import type { ChatMessage, Client } from '../../client/index.ts'
import { CliError } from '../errors/exit.ts'
import { HandlerError, type HandlerProgram } from './program.ts'

const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 30_000
/** How long running handlers may go on after everything is to end. */
const GRACE_MS = 10_000
/** Refusals that may be others a moment later. */
const PASSING = ['unavailable', 'rate_limited', 'internal', 'shutting_down']

export interface HandlerQueueOptions {
  readonly handler: HandlerProgram
  /** Runs at once. */
  readonly jobs: number
  /** Runs of a message after the first one failed. */
  readonly retries: number
  note(text: string): void
  /** A message was handled, its answer stored, and it is read. Undefined: it was not answered. */
  handled(message: ChatMessage, replyId: number | undefined): Promise<void>
  /** Told once when a message could not be handled: nothing more begins. */
  failed(): void
}

/**
 * Runs a handler for each message, several at once, but one at a time and in order in each conversation: acknowledging
 * one means that all before it were handled.
 */
export class HandlerQueue {
  readonly #client: Client
  readonly #options: HandlerQueueOptions
  readonly #queues = new Map<string, ChatMessage[]>()
  /** Conversations that have something to do, and nobody who does it. */
  readonly #ready: string[] = []
  readonly #stop = new AbortController()
  /** Aborted when what runs has had its time. */
  readonly #over = new AbortController()
  #running = 0
  #failure: Error | undefined
  #idle: (() => void)[] = []

  constructor(client: Client, options: HandlerQueueOptions) {
    this.#client = client
    this.#options = options
  }

  take(message: ChatMessage) {
    const key = message.group === undefined ? `user ${message.from}` : `group ${message.group}`
    const queue = this.#queues.get(key)
    if (queue !== undefined) queue.push(message)
    else {
      this.#queues.set(key, [message])
      this.#ready.push(key)
    }
    this.#fill()
  }

  /** Resolves when everything that was taken is handled, or it was stopped and nothing runs any more. */
  async idle() {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Begins nothing more; resolves when what runs has ended, after some time by force. @throws why it failed, if it did */
  async finish() {
    this.#stop.abort()
    const { handler } = this.#options
    const timer = setTimeout(() => handler.kill(), GRACE_MS)
    // An answer that cannot be stored is not waited for longer than its handler would be.
    await Promise.race([this.idle(), sleep(GRACE_MS + 1000, undefined, { ref: false })])
    clearTimeout(timer)
    this.#over.abort()
    if (this.#failure !== undefined) throw this.#failure
  }

  #fill() {
    while (this.#running < this.#options.jobs && !this.#stop.signal.aborted) {
      const key = this.#ready.shift()
      if (key === undefined) return
      this.#running++
      void this.#work(key)
    }
  }

  async #work(key: string) {
    const queue = this.#queues.get(key) as ChatMessage[]
    try {
      await this.#handle(queue[0] as ChatMessage)
      queue.shift()
    } catch (error) {
      // Once it is to end, what is not finished stays unread, whatever kept it.
      if (!this.#stop.signal.aborted) this.#failure = error as Error
      this.#stop.abort()
      this.#options.failed()
    }
    if (queue.length > 0) this.#ready.push(key)
    else this.#queues.delete(key)
    this.#running--
    this.#fill()
    if (this.#running > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #handle(message: ChatMessage) {
    const replyId = await this.#answer(message)
    await this.#acknowledge(message)
    await this.#options.handled(message, replyId)
  }

  /** One whose group or sender is gone meanwhile is told of: the others are none the worse for it. */
  async #acknowledge(message: ChatMessage) {
    try {
      await this.#insist(() => this.#client.acknowledge(message, { signal: this.#over.signal }))
    } catch (error) {
      if ((error as Error).name !== 'RefusedByServer') throw error
      const { id, from } = message
      this.#options.note(`message ${id} of ${from} could not be marked as read: ${(error as Error).message}`)
    }
  }

  /** Runs the handler until it succeeds. @throws CliError after the last try */
  async #answer(message: ChatMessage): Promise<number | undefined> {
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

  /** @throws HandlerError for an answer that this server does not take for its size */
  async #reply(message: ChatMessage, text: string): Promise<number | undefined> {
    const { from, group, id, hops } = message
    // A note to oneself, and what nobody can be answered for.
    const isAnswered = text !== '' && message.kind !== 'system' && (group !== undefined || from !== message.to)
    if (!isAnswered) return undefined
    try {
      const options = { clientId: `exec-${id}`, hops: Math.min(hops + 1, 255) }
      return (await this.#insist(() => this.#client.reply(message, text, options))).id
    } catch (error) {
      const { name, failure, message: why } = error as Error & { failure?: string }
      if (failure === 'too_large') throw new HandlerError(why)
      if (name !== 'RefusedByServer') throw error
      // The handler was run again, and says something else this time; or nobody there may be written to.
      if (failure === 'client_id_reused') this.#options.note(`message ${id} of ${from} was answered before`)
      else this.#options.note(`the answer to message ${id} of ${from} was refused: ${why}`)
      return undefined
    }
  }

  /** Asks again while the server cannot do it for the moment. */
  async #insist<T>(request: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await request()
      } catch (error) {
        const { code, failure = '', retryAfter = 0 } = error as { code?: string; failure?: string; retryAfter?: number }
        const passes = code === 'timed_out' || code === 'lost' || retryAfter > 0 || PASSING.includes(failure)
        if (!passes || this.#stop.signal.aborted) throw error
        this.#options.note(`${(error as Error).message}; tried again until it works`)
        await sleep(Math.max(retryAfter, FIRST_PAUSE_MS), undefined, { signal: this.#stop.signal })
      }
    }
  }
}

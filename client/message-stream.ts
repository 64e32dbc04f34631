import type { ChatMessage } from './chat-message.ts'
import type { ClientError } from './errors.ts'

/** Ids remembered to drop repeats: far more than a server has unacknowledged on one session. */
const REMEMBERED = 10_000

/**
 * Received messages, each once, as an async iterator. While it is read, the server holds back what is beyond its window
 * of unacknowledged messages, so what waits here is bounded by that; while it is not, nothing is kept.
 */
export class MessageStream {
  readonly #acknowledge: (message: ChatMessage) => Promise<unknown>
  /** Ids that were handed out. */
  readonly #seen = new Set<number>()
  readonly #waiting = new Map<number, ChatMessage>()
  #reading = false
  #wake: (() => void) | undefined
  #end: ClientError | undefined

  constructor(acknowledge: (message: ChatMessage) => Promise<unknown>) {
    this.#acknowledge = acknowledge
  }

  push(messages: readonly ChatMessage[]) {
    if (!this.#reading) return
    for (const message of messages) if (!this.#seen.has(message.id)) this.#waiting.set(message.id, message)
    this.#wake?.()
  }

  /** A message was deleted: it is not handed out any more. */
  drop(id: number) {
    this.#waiting.delete(id)
  }

  end(error: ClientError) {
    this.#end = error
    this.#wake?.()
  }

  /**
   * Begins to read at once, whenever the first message is asked for.
   * @param acknowledge acknowledge each message when the loop asks for the next one: its body has then finished with it
   * @param again what an earlier loop was handed out and comes again is handed out again
   * @throws Error when another loop reads; the ClientError that ended the client, unless it was closed on purpose
   */
  read(options: { acknowledge: boolean; again?: boolean; signal?: AbortSignal }): AsyncGenerator<ChatMessage> {
    if (this.#reading) throw new Error('another loop reads the messages of this client already')
    this.#reading = true
    if (options.again) this.#seen.clear()
    return this.#read(options)
  }

  async *#read({ acknowledge, signal }: { acknowledge: boolean; signal?: AbortSignal }): AsyncGenerator<ChatMessage> {
    const wake = () => this.#wake?.()
    signal?.addEventListener('abort', wake)
    let unfinished: number | undefined
    try {
      while (!signal?.aborted) {
        const message = this.#next()
        if (message !== undefined) {
          unfinished = message.id
          yield message
          if (acknowledge) await this.#acknowledge(message)
          unfinished = undefined
        } else if (this.#end !== undefined) {
          if (this.#end.code === 'closed') return
          throw this.#end
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          this.#wake = undefined
        }
      }
    } finally {
      signal?.removeEventListener('abort', wake)
      // A loop that was left in the middle of a message has not finished with it: the next loop gets it again.
      if (acknowledge && unfinished !== undefined) this.#seen.delete(unfinished)
      this.#waiting.clear()
      this.#reading = false
    }
  }

  #next(): ChatMessage | undefined {
    const [first] = this.#waiting
    if (first === undefined) return undefined
    const [id, message] = first
    this.#waiting.delete(id)
    this.#seen.add(id)
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value as number)
    return message
  }
}

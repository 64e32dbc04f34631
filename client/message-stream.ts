import type { ChatMessage } from './chat-message.ts'
import type { ClientError } from './errors.ts'

/** Ids remembered to drop repeats: far more than a server has unacknowledged on one session. */
const REMEMBERED = 10_000

/**
 * Received messages, each once, as an async iterator. The server holds back what is beyond its window of
 * unacknowledged messages, so this never grows without limit.
 */
export class MessageStream {
  readonly #acknowledge: (message: ChatMessage) => Promise<unknown>
  readonly #seen = new Set<number>()
  #waiting: ChatMessage[] = []
  #wake: (() => void) | undefined
  #end: ClientError | undefined

  constructor(acknowledge: (message: ChatMessage) => Promise<unknown>) {
    this.#acknowledge = acknowledge
  }

  push(messages: readonly ChatMessage[]) {
    for (const message of messages) {
      if (this.#seen.has(message.id)) continue
      this.#seen.add(message.id)
      if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value as number)
      this.#waiting.push(message)
    }
    this.#wake?.()
  }

  end(error: ClientError) {
    this.#end = error
    this.#wake?.()
  }

  /**
   * @param acknowledge acknowledge each message when the loop asks for the next one: its body has then finished with it
   * @throws the ClientError that ended the client, unless the client was closed on purpose
   */
  async *read({ acknowledge, signal }: { acknowledge: boolean; signal?: AbortSignal }): AsyncGenerator<ChatMessage> {
    const wake = () => this.#wake?.()
    signal?.addEventListener('abort', wake)
    try {
      while (!signal?.aborted) {
        const message = this.#waiting.shift()
        if (message !== undefined) {
          yield message
          if (acknowledge) await this.#acknowledge(message)
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
    }
  }
}

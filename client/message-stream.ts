import type { ChatMessage } from './chat-message.ts'
import { ClientError } from './errors.ts'

/** Characters of text that may wait for a loop: a server holds back what is beyond its window long before. */
const MAX_WAITING = 32 * 1024 * 1024
/** What a message takes besides its text, in the same measure. */
const OF_EACH = 256

/** Ids remembered to drop repeats: far more than a server has unacknowledged on one session. */
const REMEMBERED = 10_000

export interface Reading {
  /** Asks the server for pushes. `begin` must have been called when it resolves. */
  readonly ask: () => Promise<unknown>
  /** When the loop asks for the next message: its body has then finished with this one. Undefined: it does so itself. */
  readonly finished?: ((message: ChatMessage) => Promise<unknown>) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Received messages, each once in a loop, as an async iterator. While it is read, the server holds back what is beyond
 * its window of unacknowledged messages, so what waits here is bounded by that; while it is not, nothing is kept.
 */
export class MessageStream {
  /** Ids that this loop was handed. */
  readonly #seen = new Set<number>()
  /** Not handed out yet, by id. */
  #waiting: ChatMessage[] = []
  readonly #waitingIds = new Set<number>()
  /** About how much of MAX_WAITING waits. */
  #size = 0
  #isRead = false
  /** Whether what comes is for the loop that reads: before the server's reply it may be for the one before. */
  #hasBegun = false
  #wake: (() => void) | undefined
  #end: ClientError | undefined

  /** In the moment of the server's reply: everything unread comes from here on, in order. */
  begin() {
    this.#hasBegun = this.#isRead
    // It comes again. Keeping it would let a message that came late be overtaken.
    this.#clear()
  }

  /** @throws ClientError `protocol` when far more waits than a server's window can hold */
  push(messages: readonly ChatMessage[]) {
    if (!this.#hasBegun) return
    if (this.#size > MAX_WAITING)
      throw new ClientError('protocol', 'the server pushes messages without regard to its window')
    const last = this.#waiting.at(-1)?.id ?? 0
    const fresh = messages.filter(({ id }) => !this.#seen.has(id) && !this.#waitingIds.has(id))
    for (const message of fresh) {
      this.#waiting.push(message)
      this.#waitingIds.add(message.id)
      this.#size += sizeOf(message)
    }
    // A server that has trouble with its database may push what it owes in another order, and once more in the right one.
    if (fresh.some(({ id }) => id < last)) this.#waiting.sort((one, other) => one.id - other.id)
    this.#wake?.()
  }

  /** A message was deleted: it is not handed out any more. */
  drop(id: number) {
    const dropped = this.#waitingIds.delete(id) ? this.#waiting.find((message) => message.id === id) : undefined
    if (dropped === undefined) return
    this.#waiting = this.#waiting.filter((message) => message !== dropped)
    this.#size -= sizeOf(dropped)
  }

  /** The server counts anew: a number that was seen may be that of another message. */
  forget() {
    this.#seen.clear()
    this.#clear()
  }

  #clear() {
    this.#waiting = []
    this.#waitingIds.clear()
    this.#size = 0
  }

  end(error: ClientError) {
    this.#end = error
    this.#wake?.()
  }

  /**
   * Begins to read when the first message is asked for. What an earlier loop was handed and did not acknowledge comes
   * again.
   * @throws Error when another loop reads; the ClientError that ended the client, unless it was closed on purpose
   */
  async *read({ ask, finished, signal }: Reading): AsyncGenerator<ChatMessage> {
    if (this.#isRead) throw new Error('another loop reads the messages of this client already')
    this.#isRead = true
    this.#seen.clear()
    const wake = () => this.#wake?.()
    signal?.addEventListener('abort', wake)
    try {
      if (signal?.aborted) return
      await ask()
      for (;;) {
        if (signal?.aborted) return
        const message = this.#next()
        if (message !== undefined) {
          yield message
          await finished?.(message)
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
    } catch (error) {
      // A loop that was stopped, or whose client was closed, ends without an error.
      if (!signal?.aborted && this.#end?.code !== 'closed') throw error
    } finally {
      signal?.removeEventListener('abort', wake)
      this.#clear()
      this.#hasBegun = false
      this.#isRead = false
    }
  }

  #next(): ChatMessage | undefined {
    const message = this.#waiting.shift()
    if (message === undefined) return undefined
    this.#waitingIds.delete(message.id)
    this.#size -= sizeOf(message)
    this.#seen.add(message.id)
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value as number)
    return message
  }
}

const sizeOf = ({ text }: ChatMessage) => text.length + OF_EACH

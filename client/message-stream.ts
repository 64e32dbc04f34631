import type { ChatMessage } from './chat-message.ts'
import { ClientError } from './errors.ts'

/** Bound of the buffer, far above what the window of unacknowledged messages lets a server push. */
const MAX_BUFFERED_CHARS = 32 * 1024 * 1024
/** Estimated overhead of a message besides its text. */
const CHARS_PER_MESSAGE = 256

/** Ids kept to drop repeats, far more than the unacknowledged messages of a session. */
const MAX_SEEN_IDS = 10_000

export interface ReadOptions {
  /** Subscribes to the server's pushes. `subscribed` must have been called when it resolves. */
  readonly subscribe: () => Promise<unknown>
  /** Called when the loop requests the next message, having handled this one. */
  readonly onHandled?: ((message: ChatMessage) => Promise<unknown>) | undefined
  /** Called for a message that comes again after `acknowledged`: it would keep its place in the window. */
  readonly onRepeat?: ((message: ChatMessage) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Received messages as an async iterator, each once per loop. While a loop reads, the buffer is bounded by the server's
 * window of unacknowledged messages; without a loop nothing is buffered.
 */
export class MessageStream {
  /** Ids handed to the current loop. */
  readonly #seen = new Set<number>()
  /** Those of them that were acknowledged one by one. */
  readonly #acknowledged = new Set<number>()
  /** Received but not handed out, in the order of ids. */
  #buffer: ChatMessage[] = []
  readonly #bufferedIds = new Set<number>()
  /** Estimated size of the buffer. */
  #bufferedChars = 0
  #isReading = false
  #onRepeat: ReadOptions['onRepeat']
  /** False until the server's reply: pushes before it may belong to the subscription of an earlier loop. */
  #isSubscribed = false
  #wake: (() => void) | undefined
  #end: ClientError | undefined

  /** Called at the server's reply to the subscription, after which it pushes everything unread in order. */
  subscribed() {
    this.#isSubscribed = this.#isReading
    // All of it is pushed again; keeping it could put later messages before earlier ones.
    this.#clear()
  }

  /** @throws ClientError `protocol` when the buffer exceeds its bound */
  push(messages: readonly ChatMessage[]) {
    if (!this.#isSubscribed) return
    if (this.#bufferedChars > MAX_BUFFERED_CHARS)
      throw new ClientError('protocol', 'the server exceeds its window of unacknowledged messages')
    const last = this.#buffer.at(-1)?.id ?? 0
    const fresh = messages.filter(({ id }) => !this.#seen.has(id) && !this.#bufferedIds.has(id))
    for (const message of fresh) {
      this.#buffer.push(message)
      this.#bufferedIds.add(message.id)
      this.#bufferedChars += sizeOf(message)
    }
    // After a database outage a server may push messages out of order, and then again in order.
    if (fresh.some(({ id }) => id < last)) this.#buffer.sort((one, other) => one.id - other.id)
    this.#wake?.()
    if (this.#onRepeat !== undefined)
      for (const message of messages) if (this.#acknowledged.has(message.id)) this.#onRepeat(message)
  }

  /** A message of the current loop was acknowledged by its id. */
  acknowledged(id: number) {
    if (this.#seen.has(id)) this.#acknowledged.add(id)
  }

  /** Removes a recalled message from the buffer. */
  remove(id: number) {
    const removed = this.#bufferedIds.delete(id) ? this.#buffer.find((message) => message.id === id) : undefined
    if (removed === undefined) return
    this.#buffer = this.#buffer.filter((message) => message !== removed)
    this.#bufferedChars -= sizeOf(removed)
  }

  /** Replaces a message in the buffer. */
  replace(id: number, change: (message: ChatMessage) => ChatMessage) {
    const index = this.#bufferedIds.has(id) ? this.#buffer.findIndex((message) => message.id === id) : -1
    const old = this.#buffer[index]
    if (old === undefined) return
    const changed = change(old)
    this.#buffer[index] = changed
    this.#bufferedChars += sizeOf(changed) - sizeOf(old)
  }

  /** Forgets all ids, which are stale once the server has been restored. */
  reset() {
    this.#forget()
    this.#clear()
  }

  #forget() {
    this.#seen.clear()
    this.#acknowledged.clear()
  }

  #clear() {
    this.#buffer = []
    this.#bufferedIds.clear()
    this.#bufferedChars = 0
  }

  end(error: ClientError) {
    this.#end = error
    this.#wake?.()
  }

  /**
   * Subscribes when the first message is requested. Messages that an earlier loop did not acknowledge are delivered again.
   * @throws Error when another loop reads; the ClientError that ended the client, unless it was closed on purpose
   */
  async *read({ subscribe, onHandled, onRepeat, signal }: ReadOptions): AsyncGenerator<ChatMessage> {
    if (this.#isReading) throw new Error('another loop reads the messages of this client already')
    this.#isReading = true
    this.#forget()
    this.#onRepeat = onRepeat
    const wake = () => this.#wake?.()
    signal?.addEventListener('abort', wake)
    try {
      if (signal?.aborted) return
      await subscribe()
      for (;;) {
        if (signal?.aborted) return
        const message = this.#next()
        if (message !== undefined) {
          yield message
          await onHandled?.(message)
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
      // An aborted loop, or one whose client was closed, ends without an error.
      if (!signal?.aborted && this.#end?.code !== 'closed') throw error
    } finally {
      signal?.removeEventListener('abort', wake)
      this.#clear()
      this.#isSubscribed = false
      this.#isReading = false
    }
  }

  #next(): ChatMessage | undefined {
    const message = this.#buffer.shift()
    if (message === undefined) return undefined
    this.#bufferedIds.delete(message.id)
    this.#bufferedChars -= sizeOf(message)
    this.#seen.add(message.id)
    if (this.#seen.size > MAX_SEEN_IDS) {
      const oldest = this.#seen.values().next().value as number
      this.#seen.delete(oldest)
      this.#acknowledged.delete(oldest)
    }
    return message
  }
}

const sizeOf = ({ text }: ChatMessage) => text.length + CHARS_PER_MESSAGE

import type { ChatMessage, Client } from '../client/index.ts'
import { chatOf } from './chats.ts'
import type { BotLog } from './log.ts'

/**
 * Marks handled messages as read, which their senders see. One request per chat is in flight; the newest message stands
 * for those before it. Failures are only logged.
 */
export class ReadMarks {
  readonly #client: Client
  readonly #log: BotLog
  /** Newest message to mark next, by chat with a request in flight. */
  readonly #pending = new Map<string, ChatMessage | undefined>()

  constructor(client: Client, log: BotLog) {
    this.#client = client
    this.#log = log
  }

  mark(message: ChatMessage) {
    const chat = chatOf(message)
    if (this.#pending.has(chat)) this.#pending.set(chat, message)
    else void this.#mark(chat, message)
  }

  async #mark(chat: string, first: ChatMessage) {
    for (let message: ChatMessage | undefined = first; message !== undefined; message = this.#pending.get(chat)) {
      this.#pending.set(chat, undefined)
      try {
        await this.#client.acknowledge(message)
      } catch (error) {
        this.#log.debug({ err: error, event: message.id }, 'could not mark a message as read')
      }
    }
    this.#pending.delete(chat)
  }
}

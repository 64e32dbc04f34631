import type { ChatMessage, Client } from '../client/index.ts'
import { chatOf } from './chats.ts'
import type { BotLog } from './log.ts'

/** Marks handled messages as read, so that their senders see it. Nothing waits for it; the newest of a chat is enough. */
export class ReadMarks {
  readonly #client: Client
  readonly #log: BotLog
  /** By chat, while one is being marked: the newest that came in the meantime. */
  readonly #under = new Map<string, ChatMessage | undefined>()

  constructor(client: Client, log: BotLog) {
    this.#client = client
    this.#log = log
  }

  mark(message: ChatMessage) {
    const chat = chatOf(message)
    if (this.#under.has(chat)) this.#under.set(chat, message)
    else void this.#mark(chat, message)
  }

  async #mark(chat: string, first: ChatMessage) {
    for (let message: ChatMessage | undefined = first; message !== undefined; message = this.#under.get(chat)) {
      this.#under.set(chat, undefined)
      try {
        await this.#client.acknowledge(message)
      } catch (error) {
        this.#log.debug({ err: error, event: message.id }, 'could not mark a message as read')
      }
    }
    this.#under.delete(chat)
  }
}

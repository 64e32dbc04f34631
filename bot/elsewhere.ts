import type { Client } from '../client/index.ts'
import type { ChatQueues } from './chat-queues.ts'
import { laneOf } from './chats.ts'
import type { Work } from './work.ts'

/** Under which the consumer keeps them. */
const STATE_KEY = 'questions'

interface Open {
  /** The event whose handler asks. */
  readonly event: number
  /** The chat it asks in. */
  readonly chat: string
}

/**
 * Questions that a handler asks in another chat than its own. The server keeps which there are: after a restart, that
 * chat waits until the handler runs again and asks, or its answer would be taken for an ordinary message.
 */
export class Elsewhere {
  readonly #client: Client
  readonly #consumer: string
  readonly #queues: ChatQueues<Work>
  #open: readonly Open[] = []
  /** Chats that wait since the start, by the events they wait for. */
  readonly #held = new Map<Open, () => void>()
  readonly #arrived = new Set<number>()

  constructor(client: Client, consumer: string, queues: ChatQueues<Work>) {
    this.#client = client
    this.#consumer = consumer
    this.#queues = queues
  }

  /** Before the first event. */
  async restore() {
    const kept = await this.#client.consumerState(this.#consumer, STATE_KEY)
    this.#open = kept === '' ? [] : JSON.parse(kept)
    for (const open of this.#open) this.#held.set(open, this.#queues.hold(laneOf(open.chat)))
  }

  /** An event has come. They come in order: one that is waited for and is older does not come any more. */
  arrived(event: number) {
    if (this.#held.size === 0) return
    this.#arrived.add(event)
    for (const { event: awaited } of [...this.#held.keys()])
      if (awaited < event && !this.#arrived.has(awaited)) this.#forget(({ event }) => event === awaited)
  }

  /** Before the question is sent. */
  async asking(event: number, chat: string) {
    if (this.#open.some((open) => open.event === event && open.chat === chat)) return
    this.#open = [...this.#open, { event, chat }]
    await this.#save()
  }

  /** The question is asked: the chat goes on. */
  asked(event: number, chat: string) {
    this.#release((open) => open.event === event && open.chat === chat)
  }

  /** The handler has finished. */
  async finished(event: number) {
    if (this.#open.every((open) => open.event !== event)) return
    this.#forget((open) => open.event === event)
    await this.#save()
  }

  #forget(which: (open: Open) => boolean) {
    this.#release(which)
    this.#open = this.#open.filter((open) => !which(open))
  }

  #release(which: (open: Open) => boolean) {
    for (const [open, release] of this.#held) {
      if (!which(open)) continue
      this.#held.delete(open)
      release()
    }
    if (this.#held.size === 0) this.#arrived.clear()
  }

  #save() {
    return this.#client.acknowledgeEvent(this.#consumer, 0, { key: STATE_KEY, state: JSON.stringify(this.#open) })
  }
}

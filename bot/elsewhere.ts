import type { Client } from '../client/index.ts'
import type { ChatQueues } from './chat-queues.ts'
import { laneOf } from './chats.ts'
import type { Work } from './work.ts'

/** Under which the consumer keeps them. */
const STATE_KEY = 'questions'

interface Open {
  /** Key of the work whose handler asks. */
  readonly run: string
  /** The chat it asks in. */
  readonly chat: string
  /** How many questions it has asked there. */
  readonly asked: number
}

/** As it was kept before work other than events could ask. */
interface Kept extends Partial<Open> {
  readonly event?: number
}

/**
 * Questions that a handler asks in another chat than its own. The server keeps how many there are: after a restart, that
 * chat waits until the handler runs again and has come to the last of them, or an answer would be taken for an ordinary
 * message.
 */
export class Elsewhere {
  readonly #client: Client
  readonly #consumer: string
  readonly #queues: ChatQueues<Work>
  /** By run and chat. */
  readonly #open = new Map<string, Open>()
  /** Chats that wait for a run to ask again, by run and chat. */
  readonly #held = new Map<string, () => void>()
  /** Questions of the runs under way, by run and chat: begun to ask, and asked. */
  readonly #counts = new Map<string, { begun: number; done: number }>()
  readonly #arrived = new Set<number>()

  constructor(client: Client, consumer: string, queues: ChatQueues<Work>) {
    this.#client = client
    this.#consumer = consumer
    this.#queues = queues
  }

  /** Before the first event. @param resumed keys of the work, besides events, that goes on */
  async restore(resumed: readonly string[]) {
    const text = await this.#client.consumerState(this.#consumer, STATE_KEY)
    const kept: Kept[] = text === '' ? [] : JSON.parse(text)
    for (const { event, run = String(event), chat = '', asked = 1 } of kept) {
      const isEvent = Number.isInteger(Number(run))
      if (isEvent || resumed.includes(run)) this.#open.set(keyOf(run, chat), { run, chat, asked })
    }
    for (const open of this.#open.values()) this.#hold(open)
  }

  /** An event has come. They come in order: one that is waited for and is older does not come any more. */
  arrived(event: number) {
    if (this.#held.size === 0) return
    this.#arrived.add(event)
    for (const key of [...this.#held.keys()]) {
      const run = this.#open.get(key)?.run
      const awaited = Number(run)
      if (run !== undefined && awaited < event && !this.#arrived.has(awaited)) this.#forget(run)
    }
  }

  /** Whether chats wait for that run: it begins although its own chat waits for another one, which may wait for it. */
  isAwaited(run: string): boolean {
    return [...this.#held.keys()].some((key) => this.#open.get(key)?.run === run)
  }

  /** A handler runs, perhaps again: what it has asked elsewhere it asks again. */
  begin(run: string) {
    for (const [key, open] of this.#open) {
      if (open.run !== run) continue
      this.#counts.delete(key)
      this.#hold(open)
      this.#arrived.add(Number(run))
    }
  }

  /** Before a question is sent. */
  async asking(run: string, chat: string) {
    const key = keyOf(run, chat)
    const counts = this.#counts.get(key) ?? { begun: 0, done: 0 }
    this.#counts.set(key, counts)
    const asked = ++counts.begun
    if (asked <= (this.#open.get(key)?.asked ?? 0)) return
    this.#open.set(key, { run, chat, asked })
    await this.#save()
  }

  /** The question is asked: once it is the last one that was asked before a restart, the chat goes on. */
  asked(run: string, chat: string) {
    const key = keyOf(run, chat)
    const counts = this.#counts.get(key)
    if (counts !== undefined && ++counts.done >= (this.#open.get(key)?.asked ?? 0)) this.#release(key)
  }

  /** The handler has finished. */
  async finished(run: string) {
    if (this.#forget(run)) await this.#save()
  }

  #hold({ run, chat }: Open) {
    const key = keyOf(run, chat)
    if (!this.#held.has(key)) this.#held.set(key, this.#queues.hold(laneOf(chat)))
  }

  #release(key: string) {
    this.#held.get(key)?.()
    this.#held.delete(key)
    if (this.#held.size === 0) this.#arrived.clear()
  }

  #forget(run: string): boolean {
    const keys = [...this.#open].filter(([, open]) => open.run === run).map(([key]) => key)
    for (const key of keys) {
      this.#release(key)
      this.#open.delete(key)
      this.#counts.delete(key)
    }
    return keys.length > 0
  }

  #save() {
    const state = JSON.stringify([...this.#open.values()])
    return this.#client.acknowledgeEvent(this.#consumer, 0, { key: STATE_KEY, state })
  }
}

const keyOf = (run: string, chat: string) => `${run}\n${chat}`

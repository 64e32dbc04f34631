import type { Client } from '../client/index.ts'
import type { ChatQueues } from './chat-queues.ts'
import { laneOf } from './chats.ts'
import type { Work } from './work.ts'

/** Key of this record in the consumer's state. */
const STATE_KEY = 'questions'

/** Questions that one run asks in one other chat. */
interface Pending {
  /** Key of the work whose handler asks. */
  readonly run: string
  /** Chat it asks in. */
  readonly chat: string
  /** Number of questions asked there. */
  readonly asked: number
}

/** Stored form; `event` is the run's key in records of earlier versions, which knew no other runs. */
interface StoredPending extends Partial<Pending> {
  readonly event?: number
}

/**
 * Questions that handlers ask in chats other than their own. The number per run and chat is stored with the consumer.
 * After a restart such a chat is held until the handler has run again up to its last question; otherwise the answer
 * would be handled as an ordinary message.
 */
export class CrossChatQuestions {
  readonly #client: Client
  readonly #consumer: string
  readonly #queues: ChatQueues<Work>
  /** By run and chat. */
  readonly #pending = new Map<string, Pending>()
  /** Release functions of held chats, by run and chat. */
  readonly #holds = new Map<string, () => void>()
  /** Questions of the current runs, by run and chat: started and sent. */
  readonly #counts = new Map<string, { started: number; sent: number }>()
  /** Events received, or handled again, while chats are held. */
  readonly #arrived = new Set<number>()

  constructor(client: Client, consumer: string, queues: ChatQueues<Work>) {
    this.#client = client
    this.#consumer = consumer
    this.#queues = queues
  }

  /** Loads the record and holds its chats; call before the first event. @param resumed keys of resumed schedule runs */
  async restore(resumed: readonly string[]) {
    const text = await this.#client.consumerState(this.#consumer, STATE_KEY)
    const stored: StoredPending[] = text === '' ? [] : JSON.parse(text)
    for (const { event, run = String(event), chat = '', asked = 1 } of stored) {
      const isEvent = Number.isInteger(Number(run))
      if (isEvent || resumed.includes(run)) this.#pending.set(keyOf(run, chat), { run, chat, asked })
    }
    for (const pending of this.#pending.values()) this.#hold(pending)
  }

  /** Records that an event was received. Events come in id order: an older awaited event will not come any more. */
  arrived(event: number) {
    if (this.#holds.size === 0) return
    this.#arrived.add(event)
    for (const key of [...this.#holds.keys()]) {
      const run = this.#pending.get(key)?.run
      const awaited = Number(run)
      if (run !== undefined && awaited < event && !this.#arrived.has(awaited)) this.#forget(run)
    }
  }

  /** Whether chats are held for that run. It starts even if its own chat is held: the two could wait for each other. */
  isAwaited(run: string): boolean {
    return [...this.#holds.keys()].some((key) => this.#pending.get(key)?.run === run)
  }

  /** A run starts, possibly again: holds the chats it has asked in until it has repeated its questions. */
  begin(run: string) {
    for (const [key, pending] of this.#pending) {
      if (pending.run !== run) continue
      this.#counts.delete(key)
      this.#hold(pending)
      this.#arrived.add(Number(run))
    }
  }

  /** Stores the question; call before sending it. */
  async sending(run: string, chat: string) {
    const key = keyOf(run, chat)
    const counts = this.#counts.get(key) ?? { started: 0, sent: 0 }
    this.#counts.set(key, counts)
    const asked = ++counts.started
    if (asked <= (this.#pending.get(key)?.asked ?? 0)) return
    this.#pending.set(key, { run, chat, asked })
    await this.#save()
  }

  /** The question was sent. Releases the chat once all questions of the record have been repeated. */
  sent(run: string, chat: string) {
    const key = keyOf(run, chat)
    const counts = this.#counts.get(key)
    if (counts !== undefined && ++counts.sent >= (this.#pending.get(key)?.asked ?? 0)) this.#release(key)
  }

  /** The handler has finished: removes its questions from the record. */
  async finished(run: string) {
    if (this.#forget(run)) await this.#save()
  }

  #hold({ run, chat }: Pending) {
    const key = keyOf(run, chat)
    if (!this.#holds.has(key)) this.#holds.set(key, this.#queues.hold(laneOf(chat)))
  }

  #release(key: string) {
    this.#holds.get(key)?.()
    this.#holds.delete(key)
    if (this.#holds.size === 0) this.#arrived.clear()
  }

  #forget(run: string): boolean {
    const keys = [...this.#pending].filter(([, pending]) => pending.run === run).map(([key]) => key)
    for (const key of keys) {
      this.#release(key)
      this.#pending.delete(key)
      this.#counts.delete(key)
    }
    return keys.length > 0
  }

  #save() {
    const state = JSON.stringify([...this.#pending.values()])
    return this.#client.acknowledgeEvent(this.#consumer, 0, { key: STATE_KEY, state })
  }
}

const keyOf = (run: string, chat: string) => `${run}\n${chat}`

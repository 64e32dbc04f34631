import { batch, signal } from '@preact/signals'
import { type Key, MAX_SHOWN, type Message } from '../shared/model.ts'
import type { HistoryPage } from '../shared/protocol.ts'
import { call } from './worker.ts'

type Edge = 'more' | 'loading' | 'end'

/** The part of a conversation's history that is shown: a run of messages without a gap. */
export class Conversation {
  readonly key: Key
  /** Ascending by id. */
  readonly messages = signal<readonly Message[]>([])
  /** Whether there is more before the first message shown. */
  readonly older = signal<Edge>('loading')
  /** False while newer messages exist that are not shown. */
  readonly isAtEnd = signal(true)
  /** The first message that was unread when the conversation was opened; 0 if there was none. */
  readonly firstUnread = signal(0)
  readonly failure = signal<unknown>(undefined)
  /** Messages that arrived while the newest page was loading. */
  #arrived: Message[] = []
  /** Recalled while a page was loading, which may still contain them. */
  readonly #recalled = new Set<number>()
  #isLoading = false
  #readUpTo = 0

  constructor(key: Key) {
    this.key = key
    void this.load()
  }

  /** Loads the newest page; what is shown stays if the page follows it without a gap. */
  async load() {
    this.#isLoading = true
    this.failure.value = undefined
    try {
      this.#showNewest(await call('history', { key: this.key, untilRead: this.messages.value.length === 0 }))
    } catch (error) {
      batch(() => {
        this.failure.value = error
        if (this.older.value === 'loading') this.older.value = 'more'
      })
    }
    this.#isLoading = false
    this.receive(this.#arrived.splice(0))
  }

  async loadOlder() {
    const first = this.messages.value[0]
    if (this.older.value !== 'more' || first === undefined) return
    this.older.value = 'loading'
    try {
      const page = await call('history', { key: this.key, before: first.id })
      batch(() => {
        const all = [...this.#existing(page.messages), ...this.messages.value]
        if (all.length > MAX_SHOWN) this.isAtEnd.value = false
        this.messages.value = all.slice(0, MAX_SHOWN)
        this.older.value = page.more ? 'more' : 'end'
      })
    } catch (error) {
      batch(() => {
        this.older.value = 'more'
        this.failure.value = error
      })
    }
  }

  /** Shows the newest messages again, after scrolling far back. */
  async jumpToEnd() {
    if (this.isAtEnd.value) return
    batch(() => {
      this.messages.value = []
      this.isAtEnd.value = true
      this.older.value = 'loading'
    })
    await this.load()
  }

  receive(messages: readonly Message[]) {
    if (this.#isLoading) this.#arrived.push(...messages)
    else if (this.isAtEnd.value && messages.length > 0) this.#merge(messages)
  }

  recalled(id: number) {
    this.#recalled.add(id)
    this.messages.value = this.messages.value.filter((message) => message.id !== id)
  }

  /** The other user has read up to a message. */
  receipt(upTo: number) {
    this.messages.value = this.messages.value.map((message) =>
      message.mine && message.unread && message.id <= upTo ? { ...message, unread: false } : message,
    )
  }

  /** The user has seen a message of others. */
  seen(id: number) {
    if (id <= this.#readUpTo) return
    this.#readUpTo = id
    call('read', { key: this.key, upTo: id }).catch((error: unknown) => {
      this.failure.value = error
    })
  }

  #showNewest({ messages, more }: HistoryPage) {
    const [first] = messages
    const known = this.messages.value
    const isConnected = first !== undefined && known.some(({ id }) => id >= first.id)
    const kept = isConnected ? known.filter(({ id }) => id < first.id) : []
    const page = this.#existing(messages)
    const isFirst = known.length === 0
    batch(() => {
      this.messages.value = [...kept, ...page].slice(-MAX_SHOWN)
      this.isAtEnd.value = true
      if (kept.length === 0) this.older.value = more ? 'more' : 'end'
      if (isFirst) this.firstUnread.value = page.find(({ mine, unread }) => unread && !mine)?.id ?? 0
    })
  }

  #merge(messages: readonly Message[]) {
    const byId = new Map(this.messages.value.map((message) => [message.id, message]))
    for (const message of this.#existing(messages)) byId.set(message.id, message)
    const all = [...byId.values()].sort((one, other) => one.id - other.id)
    batch(() => {
      if (all.length > MAX_SHOWN) this.older.value = 'more'
      this.messages.value = all.slice(-MAX_SHOWN)
    })
  }

  #existing(messages: readonly Message[]): Message[] {
    return messages.filter(({ id }) => !this.#recalled.has(id))
  }
}

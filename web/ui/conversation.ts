import { batch, signal } from '@preact/signals'
import { type Key, MAX_SHOWN, type Message, type Reaction } from '../shared/model.ts'
import type { HistoryPage, HistoryQuery } from '../shared/protocol.ts'
import { call } from './worker.ts'

/** Messages in one request for reactions. */
const REACTIONS_PAGE = 50

export interface Subject {
  readonly kind: 'reply' | 'edit'
  readonly message: Message
}

type Edge = 'more' | 'loading' | 'end'

let opened = 0

/** The part of a conversation's history that is shown: a run of messages without a gap. */
export class Conversation {
  readonly key: Key
  /** Distinguishes two views of the same conversation. */
  readonly serial = ++opened
  /** Ascending by id. */
  readonly messages = signal<readonly Message[]>([])
  /** Whether there is more before the first message shown. */
  readonly older = signal<Edge>('loading')
  /** False while newer messages exist that are not shown. */
  readonly isAtEnd = signal(true)
  /** The first message that was unread when the conversation was opened; 0 if there was none. */
  readonly firstUnread = signal(0)
  /** Reactions by message. */
  readonly reactions = signal<ReadonlyMap<number, readonly Reaction[]>>(new Map())
  /** The message that the composer answers or edits. */
  readonly subject = signal<Subject | undefined>(undefined)
  readonly failure = signal<unknown>(undefined)
  /** The message to begin with, found by a search; 0 for none. */
  readonly target: number
  /** Messages that arrived while a page was loading. */
  #arrived: Message[] = []
  /** Recalled while a page was loading, which may still contain them. */
  readonly #recalled = new Set<number>()
  /** The page that is being loaded. */
  #loading: Promise<HistoryPage> | undefined
  #readUpTo = 0

  constructor(key: Key, target = 0) {
    this.key = key
    this.target = target
    const first = target === 0 ? { untilRead: true } : { around: target }
    void this.#load(first, (page) => this.#showFirst(page))
  }

  /** Loads the newest page; what is shown stays if the page follows it without a gap. */
  async load() {
    if (this.isAtEnd.value) await this.#load({}, (page) => this.#showNewest(page))
  }

  async loadOlder() {
    const [first] = this.messages.value
    if (this.older.value !== 'more' || this.#loading !== undefined || first === undefined) return
    this.older.value = 'loading'
    await this.#load({ before: first.id }, ({ messages, more }) => {
      const all = [...this.#existing(messages), ...this.messages.value]
      if (all.length > MAX_SHOWN) this.isAtEnd.value = false
      this.messages.value = all.slice(0, MAX_SHOWN)
      this.older.value = more ? 'more' : 'end'
    })
  }

  async loadNewer() {
    const last = this.messages.value.at(-1)
    if (this.isAtEnd.value || this.#loading !== undefined || last === undefined) return
    await this.#load({ after: last.id }, ({ messages, hasNewer }) => {
      const all = [...this.messages.value, ...this.#existing(messages)]
      if (all.length > MAX_SHOWN) this.older.value = 'more'
      this.messages.value = all.slice(-MAX_SHOWN)
      this.isAtEnd.value = !hasNewer
    })
  }

  /** Shows the newest messages again, after scrolling far back. */
  async jumpToEnd() {
    if (this.isAtEnd.value) return
    await this.#load({}, ({ messages, more }) => {
      this.messages.value = this.#existing(messages)
      this.isAtEnd.value = true
      this.older.value = more ? 'more' : 'end'
    })
  }

  receive(messages: readonly Message[]) {
    if (this.#loading !== undefined) this.#arrived.push(...messages)
    else if (this.isAtEnd.value && messages.length > 0) this.#merge(messages)
  }

  recalled(id: number) {
    this.#recalled.add(id)
    this.messages.value = this.messages.value.filter((message) => message.id !== id)
  }

  edited(id: number, text: string, editedAt: number) {
    this.messages.value = this.messages.value.map((message) =>
      message.id === id ? { ...message, text, editedAt } : message,
    )
  }

  reacted({ own, ...reaction }: Omit<Reaction, 'own'> & { readonly own?: boolean }) {
    const all = this.reactions.value.get(reaction.id) ?? []
    const before = all.find(({ emoji }) => emoji === reaction.emoji)
    const changed = { ...reaction, own: own ?? before?.own ?? false }
    const next = before === undefined ? [...all, changed] : all.map((other) => (other === before ? changed : other))
    this.reactions.value = new Map(this.reactions.value).set(
      reaction.id,
      next.filter(({ count }) => count > 0),
    )
  }

  showReactions(ids: readonly number[], reactions: readonly Reaction[]) {
    const byId = ids.map((id) => [id, reactions.filter((reaction) => reaction.id === id)] as const)
    this.reactions.value = new Map([...this.reactions.value, ...byId])
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

  /** One page at a time; messages that arrive meanwhile are shown after it. */
  async #load(place: Omit<HistoryQuery, 'key'>, show: (page: HistoryPage) => void) {
    while (this.#loading !== undefined) await Promise.allSettled([this.#loading])
    this.failure.value = undefined
    this.#loading = call('history', { key: this.key, ...place }).finally(() => {
      this.#loading = undefined
    })
    try {
      const page = await this.#loading
      batch(() => {
        show(page)
        this.#receiveArrived()
      })
      await this.#loadReactions(page.messages)
    } catch (error) {
      batch(() => {
        this.failure.value = error
        if (this.older.value === 'loading') this.older.value = 'more'
        this.#receiveArrived()
      })
    }
  }

  #receiveArrived() {
    this.receive(this.#arrived.splice(0))
  }

  async #loadReactions(messages: readonly Message[]) {
    const ids = messages.map(({ id }) => id)
    for (let at = 0; at < ids.length; at += REACTIONS_PAGE) {
      const page = ids.slice(at, at + REACTIONS_PAGE)
      this.showReactions(page, await call('reactions', { ids: page }))
    }
  }

  #showFirst({ messages, more, hasNewer }: HistoryPage) {
    const page = this.#existing(messages)
    this.messages.value = page
    this.older.value = more ? 'more' : 'end'
    this.isAtEnd.value = !hasNewer
    this.firstUnread.value = page.find(({ mine, unread }) => unread && !mine)?.id ?? 0
  }

  #showNewest({ messages, more }: HistoryPage) {
    // Since it was asked for, an older page has pushed the newest messages out of what is shown.
    if (!this.isAtEnd.value) return
    const [first] = messages
    const known = this.messages.value
    const isConnected = first !== undefined && known.some(({ id }) => id >= first.id)
    const kept = isConnected ? known.filter(({ id }) => id < first.id) : []
    this.messages.value = [...kept, ...this.#existing(messages)].slice(-MAX_SHOWN)
    if (kept.length === 0) this.older.value = more ? 'more' : 'end'
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

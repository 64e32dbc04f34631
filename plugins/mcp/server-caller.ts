import type { App, ClientMessage, Clock, InputOf, ReplyOf } from '../../core/index.ts'
import { ConversationChanged } from '../messages/events.ts'
import type { Caller } from './caller.ts'

/** Session of requests that come one by one, see App.remote. */
export type Remote = ReturnType<App['remote']>

/** The user of a token, as an agent acts for it within the server: with the rate, the rules and the turn of any session. */
export class ServerCaller implements Caller {
  readonly clock: Clock
  readonly #news: News
  #session: Remote

  constructor(clock: Clock, news: News, session: Remote) {
    this.clock = clock
    this.#news = news
    this.#session = session
  }

  get user(): string {
    return this.#session.user.name
  }

  /** The next requests are made in this session: the account may have changed, and the address. */
  set session(session: Remote) {
    this.#session = session
  }

  request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>> {
    return this.#session.receive(message, values)
  }

  watch(onNews: () => void): Promise<() => void> {
    return Promise.resolve(this.#news.watch(this.#session.user.id, onNews))
  }
}

/** Tells who waits of new messages of a user. Listens only while somebody waits: it is on the way of every message. */
export class News {
  readonly #app: App
  readonly #waiting = new Map<number, Set<() => void>>()
  #off: (() => void) | undefined

  constructor(app: App) {
    this.#app = app
  }

  watch(userId: number, onNews: () => void): () => void {
    const waiting = this.#waiting.get(userId) ?? new Set()
    this.#waiting.set(userId, waiting.add(onNews))
    this.#off ??= this.#app.on(ConversationChanged, (change) => {
      for (const id of 'between' in change ? change.between : change.userIds)
        for (const notify of this.#waiting.get(id) ?? []) notify()
    })
    return () => {
      waiting.delete(onNews)
      if (waiting.size === 0 && this.#waiting.get(userId) === waiting) this.#waiting.delete(userId)
      if (this.#waiting.size > 0) return
      this.#off?.()
      this.#off = undefined
    }
  }
}

import type { Logger } from 'pino'
import {
  type App,
  encode,
  type InputOf,
  Refused,
  type ServerMessage,
  SessionDrained,
  SessionEnded,
  type User,
  type UserSession,
} from '../../core/index.ts'
import { type MessageRow, type MessageWriter, MSG_TYPE, type NewMessageRow, type Stored } from '../../db/index.ts'
import type { Deliverable, WireMessage } from './deliverable.ts'
import { Delivery, type DeliveryOptions } from './delivery.ts'
import { BotLoop, ConversationChanged } from './events.ts'
import { Loops } from './loops.ts'
import { MessageRecalled, OnNewMessage } from './messages.ts'
import { fitting } from './page.ts'
import type { Trail } from './search.ts'

/** Which of a user's messages to read from the database. */
export interface Query {
  /** Only ids above this one. */
  readonly after: number
  readonly limit: number
  /** Leave out what the user has acknowledged. */
  readonly unreadOnly: boolean
  /** Leave out group messages of the user’s own. */
  readonly withoutOwn?: boolean
  /** Only this kind, one of the source's. */
  readonly kind?: number
}

/** Where a message was said, and to whom that matters. */
export interface Place {
  readonly conversation: string
  /** Name of the recipient; empty in a group. */
  readonly to: string
  /** Name of the group; empty in a private message. */
  readonly group: string
  /** Who can read it now, its sender included. */
  readonly hearers: Iterable<number>
}

/** Where to search: in the private messages with one user, in one group, or, with neither, in all there is. */
export interface Where {
  readonly with: string
  readonly group: string
}

/** One sort of conversation: where its messages for a user are. */
export interface Source {
  /** Kinds of its messages, see MSG_TYPE. */
  readonly kinds: readonly number[]
  /** Oldest first. */
  load(userId: number, query: Query): Promise<Deliverable[]>
  countUnread(userId: number): Promise<number>
  /** Where a message of its kinds was said. */
  place(row: MessageRow): Promise<Place>
  /**
   * What a search of a user goes through, none where that is not of this sort.
   * @throws Refused when there is no such user or group, or not for this user
   */
  trails(user: User, where: Where): Promise<Trail[]>
}

/** A message to be stored, and how it is told. */
export interface Post {
  readonly row: NewMessageRow
  readonly conversation: string
  readonly toWire: (row: MessageRow) => WireMessage
  /** Who can read it. Pushed to all of them but `except`, who has the reply. */
  readonly recipients: readonly number[]
  readonly except?: number
}

/** What the sender is told. */
export interface Posted {
  readonly id: number
  readonly sentAt: number
  readonly repeat: boolean
}

/**
 * What a session asks for; all of everything if left out. What `sources` hold of that kind must be all that `wants`
 * wants, and no more.
 */
export interface Filter {
  readonly sources?: readonly Source[]
  readonly kind?: number
  /** Only ids above this one. */
  readonly after?: number
  readonly wants?: (deliverable: Deliverable) => boolean
}

const everything = () => true

/** Stores messages and brings them to the sessions of their recipients, whatever kind of conversation they are of. */
export class PostOffice {
  readonly writer: MessageWriter
  readonly loops: Loops
  readonly #app: App
  readonly #log: Logger
  readonly #sources: Source[] = []
  readonly #deliveries = new Map<UserSession, Delivery>()
  /** A commit failed, and may have been made all the same: its messages would be unread and never pushed. */
  #uncertain = false

  constructor(app: App, writer: MessageWriter, log: Logger) {
    this.#app = app
    this.writer = writer
    this.loops = new Loops(app)
    this.#log = log
    app.onStop(() => writer.close())
    app.on(BotLoop, (loop) => log.warn(loop, 'bots answer each other'))
    app.on(SessionDrained, (session) => this.#deliveries.get(session)?.catchUp())
    app.on(SessionEnded, (session) => this.#deliveries.delete(session))
  }

  /** The sources that have messages of a kind. */
  sourcesOf(kind: number): Source[] {
    return this.#sources.filter(({ kinds }) => kinds.includes(kind))
  }

  addSource(source: Source) {
    this.#sources.push(source)
  }

  /** @throws Refused `too_large` */
  checkText(text: string) {
    const size = Buffer.byteLength(text)
    const { text: limit } = this.#app.limits
    if (size > limit) throw new Refused('too_large', `the text is ${size} bytes long, at most ${limit} are allowed`)
  }

  /**
   * Stores and pushes; resolves after the commit. A message that this sender has stored before is not pushed again.
   * Rejects with Refused `unavailable`, `client_id_reused`.
   */
  post(post: Post): Promise<Posted> {
    return this.writer.store(post.row).then(
      (stored) => this.#stored(post, stored),
      (error) => this.#notStored(error),
    )
  }

  #stored({ row: wanted, conversation, toWire, recipients, except }: Post, { row, repeat }: Stored): Posted {
    if (this.#uncertain) {
      this.#uncertain = false
      for (const delivery of this.#deliveries.values()) delivery.restart()
    }
    if (!repeat) {
      this.#push({ conversation, message: toWire(row) }, recipients, except)
      this.#changed(row, recipients)
    } else if (row.target_id !== wanted.target_id || row.msg_type !== wanted.msg_type || row.msg !== wanted.msg)
      throw new Refused('client_id_reused')
    return { id: row.id, sentAt: row.send_time, repeat }
  }

  /** A full disk or a lost database refuses messages; nothing is acknowledged, and everything else goes on. */
  #notStored(error: unknown): never {
    this.#uncertain = true
    this.#log.error({ err: error }, 'cannot store a message')
    throw new Refused('unavailable', undefined, { retryAfter: 1000 })
  }

  /** Begins, or begins again, to push to a session what it wants. */
  async receive(session: UserSession, { sources = this.#sources, kind, after = 0, wants = everything }: Filter = {}) {
    const { id } = session.user
    await this.writer.readsSettled()
    const counts = await Promise.all(this.#sources.map((source) => source.countUnread(id)))
    if (!session.open) throw new Refused('logged_out')
    // Just before the reply: what is pushed before that is of the delivery before, and the client can tell.
    const delivery = this.begin(session, {
      load: (after, limit) =>
        this.#read(id, { after, limit, unreadOnly: true, ...(kind !== undefined && { kind }) }, sources),
      after,
      wants,
    })
    // After the reply.
    setImmediate(() => delivery.catchUp())
    return { unread: counts.reduce((sum, count) => sum + count, 0) }
  }

  /** What is pushed to a session from now on, in place of what it got so far; it begins with its first `catchUp`. */
  begin(session: UserSession, options: Omit<DeliveryOptions, 'newest' | 'window' | 'onError'>): Delivery {
    this.#deliveries.get(session)?.stop()
    const delivery = new Delivery(session, {
      ...options,
      newest: () => this.writer.newest,
      window: this.#app.limits.unacknowledged,
      onError: (error) => {
        this.#log.error({ err: error, session: session.id }, 'cannot deliver from the database')
        session.close('unavailable')
      },
    })
    this.#deliveries.set(session, delivery)
    return delivery
  }

  /** Ends what `begin` began, unless the session gets something else by now. */
  end(session: UserSession, delivery: Delivery) {
    delivery.stop()
    if (this.#deliveries.get(session) === delivery) this.#deliveries.delete(session)
  }

  /** As many of a user's messages as fit into a packet, oldest first, and whether there may be more. */
  async page(userId: number, query: Query): Promise<{ found: Deliverable[]; more: boolean }> {
    const { found, more } = await this.#read(userId, query, this.#sources)
    const fit = fitting(found.map(({ message }) => message))
    return { found: found.slice(0, fit), more: more || fit < found.length }
  }

  /** A user's messages of all conversations, oldest first, and whether there may be more. */
  read(userId: number, query: Query): Promise<{ found: Deliverable[]; more: boolean }> {
    return this.#read(userId, query, this.#sources)
  }

  /** A user's messages of all conversations of some sources, oldest first, and whether there may be more. */
  async #read(userId: number, query: Query, sources: readonly Source[]) {
    // What was acknowledged is unread no more.
    if (query.unreadOnly) await this.writer.readsSettled()
    const parts = await Promise.all(sources.map((source) => source.load(userId, query)))
    const merged = parts.flat().sort((a, b) => a.message.id - b.message.id)
    const more = merged.length > query.limit || parts.some((part) => part.length >= query.limit)
    return { found: merged.slice(0, query.limit), more }
  }

  /** A conversation was read up to an id: there is room for more on the user's sessions. */
  acknowledged(userId: number, conversation: string, upTo: number) {
    for (const delivery of this.#deliveriesTo(userId)) delivery.acknowledged(conversation, upTo)
  }

  /** A user may read a conversation from now on: what is being stored this moment did not know it yet. */
  async entered(userId: number) {
    await this.writer.settled()
    for (const delivery of this.#deliveriesTo(userId)) delivery.restart()
  }

  /** A user is in a conversation no more, and cannot acknowledge what is out of it. */
  left(userId: number, conversation: string) {
    this.acknowledged(userId, conversation, Number.MAX_SAFE_INTEGER)
  }

  /** Tells all sessions of a user but one. A session that reads too slowly goes without: it is told anew at its next login. */
  tell<M extends ServerMessage>(userId: number, message: M, values: InputOf<M>, except?: UserSession) {
    for (const session of this.#app.sessions.of(userId))
      if (session !== except && session.writable) session.send(message, values)
  }

  /** What a search of a user goes through. @throws Refused `group_not_exist` and what the sources throw */
  async trails(user: User, where: Where): Promise<Trail[]> {
    const trails = (await Promise.all(this.#sources.map((source) => source.trails(user, where)))).flat()
    // Only where a group is named and the server has none.
    if (trails.length === 0) throw new Refused('group_not_exist')
    return trails
  }

  /** A message of `by` was deleted: its hearers are told, but for the session that has the reply. */
  recalled(row: MessageRow, { conversation, to, group, hearers }: Place, by: UserSession) {
    const { id } = row
    for (const userId of hearers) {
      for (const delivery of this.#deliveriesTo(userId)) delivery.forget(conversation, id)
      for (const session of this.#app.sessions.of(userId))
        if (session !== by) session.send(MessageRecalled, { id, from: by.user.name, to, group })
    }
    this.#changed(row, hearers)
  }

  #changed({ user_id, target_id, msg_type }: MessageRow, hearers: Iterable<number>) {
    if (msg_type === MSG_TYPE.group) this.#app.emit(ConversationChanged, { groupId: target_id, userIds: hearers })
    else this.#app.emit(ConversationChanged, { between: [user_id, target_id] })
  }

  #push(deliverable: Deliverable, recipients: readonly number[], except: number | undefined) {
    let bytes: Buffer | undefined
    for (const userId of recipients) {
      if (userId === except) continue
      for (const session of this.#app.sessions.of(userId)) {
        const delivery = this.#deliveries.get(session)
        if (delivery === undefined) continue
        // Encoded once for all of them.
        bytes ??= encode(OnNewMessage, 0, { messages: [deliverable.message] })
        delivery.stored(deliverable, bytes)
      }
    }
  }

  *#deliveriesTo(userId: number): Generator<Delivery, void, void> {
    for (const session of this.#app.sessions.of(userId)) {
      const delivery = this.#deliveries.get(session)
      if (delivery !== undefined) yield delivery
    }
  }
}

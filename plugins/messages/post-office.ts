import type { Logger } from 'pino'
import {
  type App,
  type InputOf,
  Push,
  Refused,
  Retries,
  retryPause,
  type ServerMessage,
  SessionDrained,
  SessionEnded,
  type User,
  type UserSession,
} from '../../core/index.ts'
import {
  isUnavailable,
  type MessageRow,
  type MessageWriter,
  MSG_TYPE,
  type NewMessageRow,
  OutcomePending,
  type Read,
  type Stored,
} from '../../db/index.ts'
import { FAILURES as GROUP_FAILURES } from '../groups/failures.ts'
import type { Deliverable, WireMessage } from './deliverable.ts'
import { Delivery, type DeliveryOptions } from './delivery.ts'
import { BotLoop, ConversationChanged } from './events.ts'
import { FAILURES } from './failures.ts'
import type { MessagesLimits } from './limits.ts'
import { Loops } from './loops.ts'
import { MessageRecalled, OnNewMessage } from './messages.ts'
import { fitting, pageSize } from './page.ts'
import type { Trail } from './search.ts'
import type { Place, Query, Source, Where } from './source.ts'

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

/** After which a request that the database refused may be sent again. */
const RETRY_MS = 1000

/** Stores messages and brings them to the sessions of their recipients, whatever kind of conversation they are of. */
export class PostOffice {
  readonly writer: MessageWriter
  readonly loops: Loops
  /** What must be done as soon as the database is back. */
  readonly retries: Retries
  readonly #app: App
  readonly #limits: MessagesLimits
  readonly #log: Logger
  readonly #sources: Source[] = []
  readonly #deliveries = new Map<UserSession, Delivery>()

  constructor(app: App, limits: MessagesLimits, writer: MessageWriter, log: Logger) {
    this.#app = app
    this.#limits = limits
    this.writer = writer
    this.loops = new Loops(app, limits)
    this.retries = new Retries(app, isUnavailable, (error) => log.warn({ err: error }, 'the database is not available'))
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

  /** Rows of a page for which a client asked for so many; 0 for none in particular. */
  pageSize(asked: number): number {
    return pageSize(asked, this.#limits.historyPage)
  }

  /** @throws Refused `too_large` */
  checkText(text: string) {
    const size = Buffer.byteLength(text)
    const { text: limit } = this.#limits
    if (size > limit) throw new Refused('too_large', `the text is ${size} bytes long, at most ${limit} are allowed`)
  }

  /**
   * Stores and pushes; resolves after the commit. A message that this sender has stored before is not pushed again.
   * Rejects with Refused `unavailable`, `client_id_reused`.
   */
  post(post: Post): Promise<Posted> {
    return this.writer.store(post.row).then(
      (stored) => this.#stored(post, stored),
      (error) => this.#notStored(post, error),
    )
  }

  #stored({ row: wanted, conversation, toWire, recipients, except }: Post, { row, repeat }: Stored): Posted {
    if (!repeat) {
      this.#push({ conversation, message: toWire(row) }, recipients, except)
      this.#changed(row, recipients)
    } else if (row.target_id !== wanted.target_id || row.msg_type !== wanted.msg_type || row.msg !== wanted.msg)
      throw new Refused(FAILURES.client_id_reused)
    return { id: row.id, sentAt: row.send_time, repeat }
  }

  /**
   * A full disk or a lost database refuses messages; nothing is acknowledged, and everything else goes on. A message that
   * proves to be stored is delivered then: before any later one, which the writer holds back until it knows.
   */
  #notStored(post: Post, error: unknown): never {
    this.#log.error({ err: error }, 'cannot store a message')
    if (!(error instanceof OutcomePending)) throw new Refused('unavailable', undefined, { retryAfter: RETRY_MS })
    const outcome = error.outcome.then((stored?: Stored) => stored && this.#stored(post, stored))
    outcome.catch((failure) => this.#log.warn({ err: failure }, 'the outcome of a message is not known'))
    throw new Refused('unavailable', undefined, { retryAfter: RETRY_MS, outcome })
  }

  /**
   * Marks messages as read up to an id.
   * @param moved called once if any was unread, also when that is written only after this was refused
   * @throws Refused `unavailable`
   */
  async markRead(read: Read, options: { isWaitedFor: boolean }, moved: () => void) {
    try {
      if (await this.writer.markRead(read, options)) moved()
    } catch (error) {
      if (!(error instanceof OutcomePending)) throw error
      error.outcome.then(
        (hasMoved) => hasMoved && moved(),
        (failure) => this.#log.warn({ err: failure }, 'cannot keep what was read'),
      )
      throw new Refused('unavailable', undefined, { retryAfter: RETRY_MS })
    }
  }

  /** Begins, or begins again, to push to a session what it wants. */
  async receive(session: UserSession, { sources = this.#sources, kind, after = 0, wants = everything }: Filter = {}) {
    const { id } = session.user
    await this.writer.readsSettled()
    // First, since it may fail: the session then goes on with what it received so far.
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
      window: this.#limits.unacknowledged,
      onError: (error, failures) => this.#cannotDeliver(session, error, failures),
    })
    this.#deliveries.set(session, delivery)
    return delivery
  }

  /** While the database is away, what is unread is asked for again and again; an error of another kind ends the session. */
  #cannotDeliver(session: UserSession, error: unknown, failures: number) {
    if (failures === 1) this.#log.error({ err: error, session: session.id }, 'cannot deliver from the database')
    if (!isUnavailable(error)) return session.close('unavailable')
    // Also when something else is pushed to the session by then: there is nothing behind for it to do.
    this.#app.clock.after(retryPause(failures), () => this.#deliveries.get(session)?.catchUp()).unref()
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

  /** A user is in a conversation no more: nothing of it is pushed from now on, and it cannot acknowledge what is out. */
  left(userId: number, conversation: string) {
    for (const delivery of this.#deliveriesTo(userId)) delivery.left(conversation)
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
    if (trails.length === 0) throw new Refused(GROUP_FAILURES.group_not_exist)
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
    let push: Push | undefined
    for (const userId of recipients) {
      if (userId === except) continue
      for (const session of this.#app.sessions.of(userId)) {
        const delivery = this.#deliveries.get(session)
        if (delivery === undefined) continue
        // Encoded once for all of them.
        push ??= new Push(OnNewMessage, { messages: [deliverable.message] })
        delivery.stored(deliverable, push)
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

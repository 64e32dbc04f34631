import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, newClientId, Refused, Retries, type User, type UserSession } from '../../core/index.ts'
import {
  type FileFacts,
  isUnavailable,
  type MessageContent,
  type MessageWriter,
  type NewMessageRow,
  newRow,
  OutcomePending,
  type Stored,
  textForm,
} from '../../db/index.ts'
import type { Audience } from './audience.ts'
import type { Deliveries, DeliveryRequest } from './deliveries.ts'
import type { Delivery } from './delivery.ts'
import { BotLoop, ConversationChanged, emitChange } from './events.ts'
import type { FileSource } from './file-source.ts'
import type { MessagesLimits } from './limits.ts'
import { type Exchange, Loops } from './loops.ts'
import { ConversationRead } from './messages.ts'
import { pageSize } from './page.ts'
import { PendingPost, type Posted, type PostOutcomes } from './pending-post.ts'
import { checkRepeat, isSame } from './repeats.ts'
import type { Query, Source } from './source.ts'
import type { Page, Sources } from './sources.ts'
import type { StoredMessages } from './stored-messages.ts'
import type { WriteRule, WriteRules } from './write-rules.ts'

/** A message to be stored. */
export interface NewMessage {
  readonly senderId: number
  /** See MSG_TYPE. */
  readonly kind: number
  readonly content: MessageContent
  /** Id of the message that this one answers, see Replies; 0: none. */
  readonly replyTo: number
  /** See Attachments; NO_FILE for none. */
  readonly file: FileFacts
  /** Idempotency key of the sender; empty if it has none. */
  readonly clientId: string
  /** See Conversations.hops. */
  readonly hops: number
}

/** An acknowledgement of a conversation up to a message. */
export interface Acknowledgement {
  /** See Deliverable. */
  readonly conversation: string
  /** The group, or the user whose messages were read. */
  readonly fromId: number
  readonly isGroup: boolean
  /** Name of that user; empty in a group. */
  readonly from: string
  /** Name of the group; empty in private. */
  readonly group: string
  readonly upTo: number
  /** A user to notify that the messages were read. */
  readonly receiptTo?: number | undefined
  /** False lets the commit wait a little for a message to share it with. */
  readonly isWaitedFor: boolean
}

/** Pause after which a request may be sent again that failed because of the database. */
const RETRY_MS = 1000

export interface ConversationsParts {
  readonly app: App
  readonly limits: MessagesLimits
  readonly log: Logger
  readonly writer: MessageWriter
  readonly sources: Sources
  readonly deliveries: Deliveries
  readonly stored: StoredMessages
  readonly writeRules: WriteRules
  readonly db: Knex
}

/** Stores and delivers messages and read positions of every conversation: the API for other plugins. */
export class Conversations {
  /** Messages by id. */
  readonly stored: StoredMessages
  readonly #app: App
  readonly #db: Knex
  readonly #limits: MessagesLimits
  readonly #log: Logger
  readonly #writer: MessageWriter
  readonly #sources: Sources
  readonly #deliveries: Deliveries
  readonly #writeRules: WriteRules
  readonly #loops: Loops
  readonly #retries: Retries
  /** Undefined on a server without files. */
  fileSource: FileSource | undefined
  readonly #outcomes: PostOutcomes = {
    stored: (row, audience, stored) => this.#stored(row, audience, stored),
    pause: () => this.#deliveries.pause(),
    notStored: (row, audience, error) => this.#notStored(row, audience, error),
  }

  constructor({ app, db, limits, log, writer, sources, deliveries, stored, writeRules }: ConversationsParts) {
    this.stored = stored
    this.#db = db
    this.#writeRules = writeRules
    this.#app = app
    this.#limits = limits
    this.#log = log
    this.#writer = writer
    this.#sources = sources
    this.#deliveries = deliveries
    this.#loops = new Loops(app, limits)
    this.#retries = new Retries(app, isUnavailable, (error) => log.warn({ err: error }, 'work for the database failed'))
    app.on(BotLoop, (loop) => log.warn(loop, 'bots answer each other'))
  }

  /** Checks the text of a message, which only with a file may be empty. @throws Refused `too_large`, `invalid_value` */
  checkContent({ text, file }: { readonly text: string; readonly file: number }) {
    if (text.length === 0 && file === 0) throw new Refused('invalid_value', 'text: is empty')
    this.checkText(text)
  }

  /** @throws Refused `too_large` */
  checkText(text: string) {
    const size = Buffer.byteLength(text)
    const { text: limit } = this.#limits
    if (size > limit) throw new Refused('too_large', `the text is ${size} bytes long, at most ${limit} are allowed`)
  }

  /** Messages pushed to one session and not acknowledged, at most. */
  get window(): number {
    return this.#limits.unacknowledged
  }

  /** Bytes of a text at most. */
  get maxText(): number {
    return this.#limits.text
  }

  /** Rows of a page. @param requested the client's wish; 0 for none */
  pageSize(requested: number): number {
    return pageSize(requested, this.#limits.historyPage)
  }

  /**
   * Length of the chain of bot replies that a message continues; 0 for a person.
   * @param claimed given by the sender
   * @throws Refused `bot_loop`
   */
  hops(exchange: Exchange, sender: User, claimed: number): number {
    return this.#loops.hops(exchange, sender, claimed)
  }

  /** Whether `hops` is 0 in every conversation, which spares the description of this one. */
  isQuiet(sender: User, claimed: number): boolean {
    return this.#loops.isQuiet(sender, claimed)
  }

  /**
   * Stores a message and pushes it to its audience; resolves after the commit [D-1]. A repeat is not pushed [D-2].
   * Rejects with Refused `unavailable`, `client_id_reused`.
   */
  post({ senderId, kind, content, replyTo, file, clientId, hops }: NewMessage, audience: Audience): Promise<Posted> {
    const envelope = {
      user_id: senderId,
      target_id: audience.targetId,
      msg_type: kind,
      client_id: clientId || newClientId(),
      send_time: this.#app.clock.time(),
      hops,
    }
    const row = newRow(envelope, content, replyTo, file)
    return new Promise((resolve, reject) => {
      this.#writer.enqueue(new PendingPost(row, audience, this.#outcomes, resolve, reject))
    })
  }

  #stored(wanted: NewMessageRow, audience: Audience, { id, row, repeat }: Stored): Posted | Promise<Posted> {
    const posted = { id, sentAt: row.send_time, repeat }
    if (!repeat) {
      const { conversation, names, recipients, except } = audience
      this.#deliveries.fanOut(
        conversation,
        textForm(id, row, names, wanted.reply_to, 0, wanted.file),
        recipients,
        except,
      )
      if (this.#deliveries.isOwnWanted) this.#fanOutOwn(id, wanted, audience)
      emitChange(this.#app, row, recipients)
    } else if (!isSame(wanted, row)) return checkRepeat(this.#db, wanted, { id, row }).then(() => posted)
    return posted
  }

  /** Pushes a message to the other sessions of its sender that asked for own messages. */
  #fanOutOwn(id: number, row: NewMessageRow, audience: Audience) {
    const { conversation, names, recipients, except, sentOn } = audience
    const senderId = row.user_id
    // A note to oneself is unread, and has been pushed to all sessions.
    if (except !== senderId && recipients.includes(senderId)) return
    const { from, to, group } = names
    // As in the history: a private message is unread until its recipient acknowledges it.
    const message = textForm(id, row, { from, to, group, unread: group === '' }, row.reply_to, 0, row.file)
    this.#deliveries.fanOutOwn(conversation, message, senderId, sentOn)
  }

  /**
   * Nothing is acknowledged while the database is lost or its disk full. A message that turns out to be stored is
   * delivered then, before any later one [D-11]: the writer holds those back until the outcome is known.
   */
  #notStored(wanted: NewMessageRow, audience: Audience, error: unknown): Refused {
    this.#log.error({ err: error }, 'cannot store a message')
    if (!(error instanceof OutcomePending)) return new Refused('unavailable', undefined, { retryAfter: RETRY_MS })
    const outcome = error.outcome.then((stored?: Stored) => stored && this.#stored(wanted, audience, stored))
    outcome.catch((failure) => this.#log.warn({ err: failure }, 'the outcome of a message is not known'))
    return new Refused('unavailable', undefined, { retryAfter: RETRY_MS, outcome })
  }

  /**
   * Acknowledges a conversation on all sessions of a user, and stores how far it is read [D-10]. If that moves the read
   * position, the user's other sessions and `receiptTo` are notified, even if it is stored only after this was refused.
   * @throws Refused `unavailable`
   */
  async acknowledge(session: UserSession, acknowledgement: Acknowledgement) {
    const { user } = session
    const { conversation, fromId, isGroup, upTo, isWaitedFor } = acknowledgement
    // The client has the messages: there is room for more, whether or not the commit succeeds.
    this.#deliveries.acknowledged(user.id, conversation, upTo)
    try {
      const hasMoved = await this.#writer.markRead({ readerId: user.id, fromId, isGroup, upTo }, { isWaitedFor })
      if (hasMoved) this.#read(session, acknowledgement)
    } catch (error) {
      if (!(error instanceof OutcomePending)) throw error
      error.outcome.then(
        (hasMoved) => hasMoved && this.#read(session, acknowledgement),
        (failure) => this.#log.warn({ err: failure }, 'cannot store a read position'),
      )
      throw new Refused('unavailable', undefined, { retryAfter: RETRY_MS })
    }
  }

  #read(session: UserSession, { fromId, isGroup, from, group, upTo, receiptTo }: Acknowledgement) {
    const { user } = session
    if (isGroup) this.#app.emit(ConversationChanged, { groupId: fromId, userIds: [user.id] })
    else this.#app.emit(ConversationChanged, { between: [user.id, fromId] })
    const notice = { reader: user.name, from, group, upTo }
    this.#app.users.send([user.id], ConversationRead, notice, { except: session, droppable: true })
    if (receiptTo !== undefined) this.#app.users.send([receiptTo], ConversationRead, notice, { droppable: true })
  }

  /** A user may not read a conversation any more: no message of it is pushed to the user from now on [D-7]. */
  left(userId: number, conversation: string) {
    this.#deliveries.left(userId, conversation)
  }

  /** Adds a sort of conversation, whose messages are delivered, counted and searched with all others. */
  addSource(source: Source) {
    this.#sources.add(source)
  }

  /** Adds a rule for who may write to whom in private. */
  addWriteRule(rule: WriteRule) {
    this.#writeRules.add(rule)
  }

  /** A user's messages of all conversations, oldest first. */
  read(userId: number, query: Query): Promise<Page> {
    return this.#sources.read(userId, query)
  }

  /** Replaces what is pushed to a session. Nothing is pushed before the first `catchUp` of the delivery. */
  deliver(session: UserSession, request: DeliveryRequest): Delivery {
    return this.#deliveries.begin(session, request)
  }

  /** Ends a delivery, unless another one has replaced it. */
  endDelivery(session: UserSession, delivery: Delivery) {
    this.#deliveries.end(session, delivery)
  }

  /** The highest message id whose outcome is known; higher ones are still to be fanned out [D-6]. */
  horizon(): number {
    return this.#writer.horizon
  }

  /** Resolves when the messages posted so far are stored, or certainly are not. */
  postsSettled(): Promise<void> {
    return this.#writer.settled()
  }

  /** Resolves when the acknowledgements so far are stored, or cannot be stored now. */
  readsSettled(): Promise<void> {
    return this.#writer.readsSettled()
  }

  /** Retries work while the database is not available. Resolves with undefined if it is given up. */
  retry<T>(work: () => Promise<T>): Promise<T | undefined> {
    return this.#retries.until(work)
  }
}

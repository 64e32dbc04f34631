import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, newClientId, Refused, Retries, type User, type UserSession } from '../../core/index.ts'
import {
  type FileFacts,
  isUnavailable,
  type MessageColumns,
  type MessageContent,
  type MessageWriter,
  type NewMessageRow,
  newRow,
  OutcomePending,
  type Stored,
  textForm,
  UNCHECKED,
} from '../../db/index.ts'
import type { Audience } from './audience.ts'
import type { Deliveries, DeliveryRequest } from './deliveries.ts'
import type { Delivery } from './delivery.ts'
import { BotLoop } from './events.ts'
import type { FanOut, SharedLog } from './fan-out.ts'
import type { FileSource } from './file-source.ts'
import type { MessagesLimits } from './limits.ts'
import type { Exchange, Loops } from './loops.ts'
import { pageSize } from './page.ts'
import { PendingPost, type Posted, type PostOutcomes } from './pending-post.ts'
import { type Acknowledgement, RETRY_MS, ReadPositions } from './read-positions.ts'
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
  /** See Conversations.checkedUpTo; UNCHECKED if its sender's rights are not checked. */
  readonly checkedUpTo: number
}

export interface ConversationsParts {
  readonly app: App
  readonly limits: MessagesLimits
  readonly log: Logger
  readonly writer: MessageWriter
  readonly sources: Sources
  readonly deliveries: Deliveries
  readonly fanOut: FanOut
  /** Undefined for the only server of a database. */
  readonly shared: SharedLog | undefined
  readonly stored: StoredMessages
  readonly loops: Loops
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
  readonly #fanOut: FanOut
  readonly #shared: SharedLog | undefined
  readonly #writeRules: WriteRules
  readonly #loops: Loops
  readonly #retries: Retries
  readonly #readPositions: ReadPositions
  /** Undefined on a server without files. */
  fileSource: FileSource | undefined
  readonly #outcomes: PostOutcomes = {
    stored: (row, audience, stored) => this.#stored(row, audience, stored),
    pause: () => this.#deliveries.pause(),
    notStored: (row, audience, error) => this.#notStored(row, audience, error),
    outdated: (post) => void this.#checkAgain(post),
  }

  constructor(parts: ConversationsParts) {
    const { app, db, limits, log, writer, sources, deliveries, fanOut, shared, stored, loops, writeRules } = parts
    this.stored = stored
    this.#db = db
    this.#fanOut = fanOut
    this.#shared = shared
    this.#writeRules = writeRules
    this.#app = app
    this.#limits = limits
    this.#log = log
    this.#writer = writer
    this.#sources = sources
    this.#deliveries = deliveries
    this.#loops = loops
    this.#readPositions = new ReadPositions({ app, log, writer, deliveries })
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

  /**
   * To be taken when a message comes in, before anything is looked up for it: a later change of what is checked then is noticed
   * at the commit, although another server has made it.
   */
  get checkedUpTo(): number {
    return this.#shared?.checkedUpTo ?? UNCHECKED
  }

  /** Whether `hops` is 0 in every conversation, which spares the description of this one. */
  isQuiet(sender: User, claimed: number): boolean {
    return this.#loops.isQuiet(sender, claimed)
  }

  /**
   * Stores a message and pushes it to its audience; resolves after the commit [D-1]. A repeat is not pushed [D-2].
   * Rejects with Refused `unavailable`, `client_id_reused`.
   */
  post(message: NewMessage, audience: Audience): Promise<Posted> {
    const { senderId, kind, content, replyTo, file, clientId, hops, checkedUpTo } = message
    const envelope = {
      user_id: senderId,
      target_id: audience.targetId,
      msg_type: kind,
      client_id: clientId || newClientId(),
      send_time: this.#app.clock.time(),
      hops,
    }
    const row = newRow(envelope, content, replyTo, file, checkedUpTo)
    return new Promise((resolve, reject) => {
      this.#writer.enqueue(new PendingPost(row, audience, this.#outcomes, resolve, reject))
    })
  }

  #stored(wanted: NewMessageRow, audience: Audience, { id, row, repeat }: Stored): Posted | Promise<Posted> {
    const posted = { id, sentAt: row.send_time, repeat }
    if (!repeat) this.#passOn(id, row, wanted, audience)
    else if (!isSame(wanted, row)) return checkRepeat(this.#db, wanted, { id, row }).then(() => posted)
    return posted
  }

  /** A message was stored. With other servers it may have to wait for theirs. */
  #passOn(id: number, row: MessageColumns, { reply_to, file }: NewMessageRow, audience: Audience) {
    const message = textForm(id, row, audience.names, reply_to, 0, file)
    if (this.#shared === undefined) this.#fanOut.push(message, row, audience)
    else this.#shared.add(id, { message, row, audience })
  }

  /** What was checked of a message has changed before its commit. */
  async #checkAgain(post: PendingPost) {
    try {
      const { work, audience } = post
      await this.caughtUp()
      // Before the check, as in a request.
      const row = { ...work, checkedUpTo: this.#shared?.seen ?? UNCHECKED }
      const [source] = this.#sources.ofKind(work.msg_type)
      this.#writer.enqueue(post.again(row, (await source?.checkAgain(work, audience)) ?? audience))
    } catch (error) {
      post.fail(error)
    }
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

  /** See ReadPositions. @throws Refused `unavailable` */
  acknowledge(session: UserSession, acknowledgement: Acknowledgement): Promise<void> {
    return this.#readPositions.acknowledge(session, acknowledgement)
  }

  /** A user may not read a conversation any more: no message of it is pushed to the user from now on [D-7]. */
  left(userId: number, conversation: string) {
    this.#deliveries.left(userId, conversation)
  }

  /** The same for everyone. */
  ended(conversation: string) {
    this.#deliveries.ended(conversation)
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

  /**
   * With other servers: resolves when everything that they had stored before the call was passed on here, or cannot be read
   * now. What a user was told by one server must not be new on another.
   */
  caughtUp(): Promise<void> | undefined {
    return this.#shared?.catchUp()
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

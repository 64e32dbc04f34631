import type { Logger } from 'pino'
import {
  type FailureName,
  Refused,
  type ServerMessage,
  type TransportSession,
  type ValuesOf,
} from '../../core/index.ts'
import type { Account } from '../accounts/index.ts'
import { AddFriendRequest, AddFriendResult, FriendDeleted } from '../friends/messages.ts'
import { AcknowledgeRoom, JoinLeaveChatroom, RoomInvitation } from '../groups/messages.ts'
import type { WireMessage } from '../messages/deliverable.ts'
import { Acknowledge, MessageRecalled, OnNewMessage, Receive } from '../messages/messages.ts'
import { ContactLists } from './contact-lists.ts'
import { encodeFrame, MAX_PLAIN_BYTES, roomFor, SEGMENT_PLAIN_BYTES } from './frame.ts'
import { toOldName } from './names.ts'
import type { PacedOutbox } from './outbox.ts'
import { conversationOf, Receipts } from './receipts.ts'
import { splitText, toOldTime } from './text.ts'
import { TO_CLIENT } from './types.ts'

/** Most missed group messages held until their window opens; older ones count as read. */
const MAX_HELD = 30
/** Shortest part of a text for which frames are limited to one segment. */
const MIN_PART_BYTES = 256
/** Account look-ups. */
interface Accounts {
  find(name: string): Account | undefined | Promise<Account | undefined>
  byIds(ids: Iterable<number>): Promise<Map<number, Account>>
}

export interface SessionParts {
  readonly upstream: TransportSession
  readonly outbox: PacedOutbox
  readonly log: Logger
  /** Whether the client is on this machine, where frames of any size arrive in one read. */
  readonly isLocal: boolean
  readonly accounts: Accounts
}

/** Session of an original client after the login: translates pushes into frames. */
export class OldSession {
  readonly upstream: TransportSession
  readonly outbox: PacedOutbox
  readonly accounts: Accounts
  readonly receipts: Receipts
  readonly lists: ContactLists
  readonly #log: Logger
  readonly #isLocal: boolean
  /** Pushes are translated serially, since some require a query first. */
  #tasks: Promise<void> = Promise.resolve()
  #waiting = 0
  /** Time of the client's first request for its lists; older messages were missed. */
  #since: number | undefined
  /** Users whose friend request the client was asked about; it needs no notice of the result. */
  readonly #requesters = new Set<string>()
  /** Groups that this session is joining or leaving: the client requests its lists afterwards. */
  readonly moving = new Set<string>()
  /** Groups whose windows were opened. */
  readonly #opened = new Set<string>()
  /** Missed messages of groups whose windows are not open, oldest first. */
  #held: WireMessage[] = []
  /** Id of the last queued message by conversation: repeated pushes are not shown again. */
  readonly #queued = new Map<string, number>()

  constructor({ upstream, outbox, log, isLocal, accounts }: SessionParts) {
    this.upstream = upstream
    this.outbox = outbox
    this.accounts = accounts
    this.#log = log
    this.#isLocal = isLocal
    this.lists = new ContactLists(upstream, outbox, (error) => this.failed(error))
    this.receipts = new Receipts((message) => this.#background(this.#acknowledge(message)))
  }

  /** Bytes of pushes that are not translated yet. */
  get waiting(): number {
    return this.#waiting
  }

  get userName(): string {
    return this.upstream.user?.name ?? ''
  }

  push(message: ServerMessage, values: Record<string, unknown>) {
    const translate = PUSHES.get(message)
    if (translate === undefined) return
    const bytes = message === OnNewMessage ? textBytes(values as ValuesOf<typeof OnNewMessage>) : 0
    this.#waiting += bytes
    this.#tasks = this.#tasks
      .then(() => translate(this, values as never))
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#waiting -= bytes
      })
  }

  /** Resolves when all pushes so far have been translated into frames. */
  pushesTranslated(): Promise<void> {
    return this.#tasks
  }

  /** The client has requested its lists. After the first request it reads, and receives the backlog. */
  async listsRequested() {
    if (this.#since !== undefined) return this.lists.send()
    try {
      await this.lists.send()
      this.#since = Date.now()
      await this.upstream.receive(Receive, {})
    } catch (error) {
      // The client does not repeat its request, and would wait for ever.
      this.failed(error)
      this.upstream.close('unavailable')
    } finally {
      this.outbox.start()
    }
  }

  /** After a change by other users, if the client has lists. */
  async #refreshLists() {
    if (this.#since !== undefined) await this.lists.refresh()
  }

  /** The connection has ended: cancels timers. */
  stop() {
    this.lists.stop()
    this.receipts.stop()
  }

  /** Sends a text in one or more frames, as their last value. @param about key for `retract` */
  sendText(type: number, before: readonly string[], text: string, about: string, onWritten?: () => void) {
    const max = roomFor(before, MAX_PLAIN_BYTES)
    const preferred = this.#isLocal ? max : roomFor(before, SEGMENT_PLAIN_BYTES)
    const parts = splitText(text, preferred < MIN_PART_BYTES ? max : preferred)
    for (const [index, part] of parts.entries()) {
      const frame = encodeFrame(type, ...before, part)
      this.outbox.message(frame, about, index === parts.length - 1 ? onWritten : undefined)
    }
  }

  sendGroupText({ group, from, text, sentAt, id }: Omit<Shown, 'to'>, onWritten?: () => void) {
    const before = [toOldTime(sentAt), toOldName(group), toOldName(from)]
    this.sendText(TO_CLIENT.groupMessage, before, text, `message ${id}`, onWritten)
  }

  /** Sends the result of a request, which the client shows as a dialog. */
  dialog(type: number, ...texts: string[]) {
    this.outbox.dialog(encodeFrame(type, ...texts))
  }

  /** Reports a failed request in the only dialog that shows a text of the server. */
  refused(error: unknown) {
    if (error instanceof Refused) this.dialog(TO_CLIENT.notice, error.message)
    else this.failed(error)
  }

  failed(error: unknown) {
    if (error instanceof Refused)
      this.#log.debug({ session: this.upstream.id, code: error.code }, 'upstream request refused')
    else this.#log.error({ err: error, session: this.upstream.id }, 'internal error while serving an original client')
  }

  async sendMessages({ messages }: ValuesOf<typeof OnNewMessage>) {
    for (const message of messages) {
      const conversation = conversationOf(message)
      if (message.id <= (this.#queued.get(conversation) ?? 0)) continue
      this.#queued.set(conversation, message.id)
      if (message.group === '') await this.#sendPrivate(message)
      else this.#sendGroup(message)
    }
  }

  async #sendPrivate(message: WireMessage) {
    const { id, from, text, sentAt } = message
    if (!this.lists.has(from)) await this.lists.addOther(from, (await this.accounts.find(from))?.nickname ?? from)
    const onWritten = () => this.receipts.written(message)
    this.sendText(TO_CLIENT.message, [toOldName(from), toOldTime(sentAt)], text, `message ${id}`, onWritten)
  }

  /**
   * Holds missed messages of a group, and those after them, until the group's window opens: without a window, the client
   * shows a group message in the private chat with its sender.
   */
  #sendGroup(message: WireMessage) {
    const { group, sentAt } = message
    const follows = this.#held.some((held) => held.group === group)
    if (!this.#opened.has(group) && (follows || sentAt < (this.#since ?? 0))) {
      this.#held.push(message)
      const [oldest] = this.#held
      if (this.#held.length > MAX_HELD && oldest !== undefined) {
        this.#held.shift()
        this.receipts.written(oldest)
      }
    } else this.#showGroup(message)
  }

  #showGroup(message: WireMessage) {
    this.sendGroupText(message, () => this.receipts.written(message))
  }

  /** The window of a group has opened: sends its held messages. */
  opened(group: string) {
    this.#opened.add(group)
    const missed = this.#held.filter((message) => message.group === group)
    this.#held = this.#held.filter((message) => message.group !== group)
    for (const message of missed) this.#showGroup(message)
  }

  recalled({ id }: ValuesOf<typeof MessageRecalled>) {
    this.#held = this.#held.filter((message) => message.id !== id)
    this.outbox.retract(`message ${id}`)
  }

  friendRequested({ user }: ValuesOf<typeof AddFriendRequest>) {
    // A request may be pushed twice.
    if (this.#requesters.has(user)) return
    // A request that is dropped here comes again at the next login.
    const frame = encodeFrame(TO_CLIENT.friendRequest, toOldName(user))
    if (this.outbox.question(frame, `request ${user}`)) this.#requesters.add(user)
  }

  async friendResult({ user, accepted }: ValuesOf<typeof AddFriendResult>) {
    const wasAsked = this.#requesters.delete(user)
    this.outbox.retract(`request ${user}`)
    // The list goes before the dialog. Not rate-limited: a friendship needs this user's own consent.
    if (accepted && this.#since !== undefined) await this.lists.send()
    if (wasAsked) return
    this.outbox.notice(encodeFrame(TO_CLIENT.friendResult, accepted ? 'OK' : 'NG', toOldName(user)), `result ${user}`)
  }

  async friendDeleted({ user }: ValuesOf<typeof FriendDeleted>) {
    this.lists.removeOther(user)
    await this.#refreshLists()
  }

  async groupChanged({ group, user, what }: ValuesOf<typeof JoinLeaveChatroom>) {
    const isMine = user === this.userName
    const isGone = what === 'dissolved' || (isMine && (what === 'left' || what === 'kicked'))
    if (isGone) this.#held = this.#held.filter((message) => message.group !== group)
    if (isMine && this.moving.delete(group)) return
    if (isGone || what === 'renamed' || (isMine && what === 'joined')) await this.#refreshLists()
  }

  invited({ group, by }: ValuesOf<typeof RoomInvitation>) {
    const frame = encodeFrame(TO_CLIENT.notice, `${by} invites you to the group ${group}`)
    this.outbox.notice(frame, `invitation by ${by}`)
  }

  async #acknowledge(message: WireMessage) {
    const { from, group, id: upTo } = message
    if (!this.upstream.open) return
    try {
      if (group === '') await this.upstream.receive(Acknowledge, { from, upTo })
      else await this.upstream.receive(AcknowledgeRoom, { group, upTo })
    } catch (error) {
      // Retried later: otherwise the message would stay unacknowledged for the whole session.
      if (error instanceof Refused && error.code === 'unavailable') this.receipts.written(message)
      else throw error
    }
  }

  #background(work: Promise<unknown>) {
    work.catch((error: unknown) => this.failed(error))
  }
}

type Shown = Pick<WireMessage, 'group' | 'from' | 'text' | 'sentAt' | 'id' | 'to'>

const textBytes = ({ messages }: ValuesOf<typeof OnNewMessage>) =>
  messages.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)

type Translate = (session: OldSession, values: never) => void | Promise<void>

/** Translations of pushes. Others are dropped: the original has neither presence nor read receipts. */
const PUSHES: ReadonlyMap<ServerMessage, Translate> = new Map<ServerMessage, Translate>([
  [OnNewMessage, (session, values) => session.sendMessages(values)],
  [MessageRecalled, (session, values) => session.recalled(values)],
  [AddFriendRequest, (session, values) => session.friendRequested(values)],
  [AddFriendResult, (session, values) => session.friendResult(values)],
  [FriendDeleted, (session, values) => session.friendDeleted(values)],
  [JoinLeaveChatroom, (session, values) => session.groupChanged(values)],
  [RoomInvitation, (session, values) => session.invited(values)],
])

/** The last frame before the server closes a session. */
export const closingNotice = (reason: FailureName) => encodeFrame(TO_CLIENT.notice, new Refused(reason).message)

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
import { encodeFrame, MAX_PLAIN, roomFor, SEGMENT_PLAIN } from './frame.ts'
import { toOldName } from './names.ts'
import type { PacedOutbox } from './outbox.ts'
import { conversationOf, Receipts } from './receipts.ts'
import { splitText, toOldTime } from './text.ts'
import { TO_CLIENT } from './types.ts'

/** Missed messages of groups kept for when their windows open; of more, the oldest count as read. */
const MAX_HELD = 30
/** A piece of text is at least so long, or it is given up that a frame fits into one segment. */
const MIN_PIECE = 256
/** Who has an account, as far as it is asked for here. */
interface Accounts {
  find(name: string): Account | undefined | Promise<Account | undefined>
  byIds(ids: Iterable<number>): Promise<Map<number, Account>>
}

export interface SessionParts {
  readonly upstream: TransportSession
  readonly outbox: PacedOutbox
  readonly log: Logger
  /** Whether the path to the client takes frames of any size in one piece. */
  readonly isLocal: boolean
  readonly accounts: Accounts
}

/** What an original client sees of the room once it has logged in. */
export class OldSession {
  readonly upstream: TransportSession
  readonly outbox: PacedOutbox
  readonly accounts: Accounts
  readonly receipts: Receipts
  readonly lists: ContactLists
  readonly #log: Logger
  readonly #isLocal: boolean
  /** Pushes are told one after another, since some need to ask before. */
  #tasks: Promise<void> = Promise.resolve()
  #waiting = 0
  /** When the client first asked for its lists; what is older was missed. */
  #since: number | undefined
  /** Who asked this user for friendship: their result is no news. */
  readonly #asking = new Set<string>()
  /** Groups that this session enters or leaves by itself: the client asks for its lists then. */
  readonly moving = new Set<string>()
  /** Groups whose windows were opened. */
  readonly #opened = new Set<string>()
  /** Missed messages of groups whose windows were not, oldest first. */
  #held: WireMessage[] = []
  /** The last message queued of each conversation: what is pushed again is not shown again. */
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

  /** Bytes of pushes that are not in the outbox yet. */
  get waiting(): number {
    return this.#waiting
  }

  get userName(): string {
    return this.upstream.user?.name ?? ''
  }

  push(message: ServerMessage, values: Record<string, unknown>) {
    const tell = PUSHES.get(message)
    if (tell === undefined) return
    const bytes = message === OnNewMessage ? textBytes(values as ValuesOf<typeof OnNewMessage>) : 0
    this.#waiting += bytes
    this.#tasks = this.#tasks
      .then(() => tell(this, values as never))
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#waiting -= bytes
      })
  }

  /** Resolves when all that was pushed so far has been made into frames. */
  told(): Promise<void> {
    return this.#tasks
  }

  /** The client asked for its lists. The first time it is ready to read: then comes all that waits. */
  async asked() {
    if (this.#since !== undefined) return this.lists.send()
    try {
      await this.lists.send()
      this.#since = Date.now()
      await this.upstream.receive(Receive, {})
    } catch (error) {
      // It asks only once, and would wait for ever.
      this.failed(error)
      this.upstream.close('unavailable')
    } finally {
      this.outbox.begin()
    }
  }

  /** After a change that others made: only where the client has lists. */
  async #refreshLists() {
    if (this.#since !== undefined) await this.lists.refresh()
  }

  /** The client has gone: nothing is due any more. */
  stop() {
    this.lists.stop()
    this.receipts.stop()
  }

  /** One or more frames of a text, which stands last in them. */
  sendText(type: number, before: readonly string[], text: string, about: string, onWritten?: () => void) {
    const roomy = roomFor(before, MAX_PLAIN)
    const room = this.#isLocal ? roomy : roomFor(before, SEGMENT_PLAIN)
    const parts = splitText(text, room < MIN_PIECE ? roomy : room)
    for (const [index, part] of parts.entries()) {
      const frame = encodeFrame(type, ...before, part)
      this.outbox.message(frame, about, index === parts.length - 1 ? onWritten : undefined)
    }
  }

  sendGroupText({ group, from, text, sentAt, id }: Omit<Shown, 'to'>, onWritten?: () => void) {
    const before = [toOldTime(sentAt), toOldName(group), toOldName(from)]
    this.sendText(TO_CLIENT.groupMessage, before, text, `message ${id}`, onWritten)
  }

  /** The result of what the client asked for. */
  dialog(type: number, ...texts: string[]) {
    this.outbox.dialog(encodeFrame(type, ...texts))
  }

  /** Says no to what the client asked for, in the one dialog with a text of ours. */
  refused(error: unknown) {
    if (error instanceof Refused) this.dialog(TO_CLIENT.notice, error.message)
    else this.failed(error)
  }

  failed(error: unknown) {
    if (error instanceof Refused) this.#log.debug({ session: this.upstream.id, code: error.code }, 'not told')
    else this.#log.error({ err: error, session: this.upstream.id }, 'cannot tell an original client')
  }

  async tellMessages({ messages }: ValuesOf<typeof OnNewMessage>) {
    for (const message of messages) {
      const conversation = conversationOf(message)
      if (message.id <= (this.#queued.get(conversation) ?? 0)) continue
      this.#queued.set(conversation, message.id)
      if (message.group === '') await this.#tellPrivate(message)
      else this.#tellGroup(message)
    }
  }

  async #tellPrivate(message: WireMessage) {
    const { id, from, text, sentAt } = message
    if (!this.lists.has(from)) await this.lists.addOther(from, (await this.accounts.find(from))?.nickname ?? from)
    const onWritten = () => this.receipts.written(message)
    this.sendText(TO_CLIENT.message, [toOldName(from), toOldTime(sentAt)], text, `message ${id}`, onWritten)
  }

  /**
   * A message of a group whose window is not open is shown by the client in the private chat with its sender. What was
   * missed therefore waits for the window, and what follows it waits too.
   */
  #tellGroup(message: WireMessage) {
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

  /** The window of a group has opened: it gets what was missed. */
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

  askedBy({ user }: ValuesOf<typeof AddFriendRequest>) {
    // Told live and once more at the login that follows: one question is enough.
    if (this.#asking.has(user)) return
    // One that is left out comes with the next login: the server keeps it.
    const frame = encodeFrame(TO_CLIENT.friendRequest, toOldName(user))
    if (this.outbox.question(frame, `request ${user}`)) this.#asking.add(user)
  }

  async friendResult({ user, accepted }: ValuesOf<typeof AddFriendResult>) {
    const wasAsked = this.#asking.delete(user)
    this.outbox.retract(`request ${user}`)
    // The list goes before the dialog. Only what this user wanted as well leads here, so it is not held back.
    if (accepted && this.#since !== undefined) await this.lists.send()
    if (wasAsked) return
    this.outbox.notice(encodeFrame(TO_CLIENT.friendResult, accepted ? 'OK' : 'NG', toOldName(user)), `result ${user}`)
  }

  async parted({ user }: ValuesOf<typeof FriendDeleted>) {
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
      // Said again a moment later: otherwise it would count as on its way for ever.
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

type Tell = (session: OldSession, values: never) => void | Promise<void>

/** What of the server's pushes an original client is told. It knows no presence, no receipts and no other kinds. */
const PUSHES: ReadonlyMap<ServerMessage, Tell> = new Map<ServerMessage, Tell>([
  [OnNewMessage, (session, values) => session.tellMessages(values)],
  [MessageRecalled, (session, values) => session.recalled(values)],
  [AddFriendRequest, (session, values) => session.askedBy(values)],
  [AddFriendResult, (session, values) => session.friendResult(values)],
  [FriendDeleted, (session, values) => session.parted(values)],
  [JoinLeaveChatroom, (session, values) => session.groupChanged(values)],
  [RoomInvitation, (session, values) => session.invited(values)],
])

/** What the client is told before the server ends its session. */
export const lastWords = (reason: FailureName) => encodeFrame(TO_CLIENT.notice, new Refused(reason).message)

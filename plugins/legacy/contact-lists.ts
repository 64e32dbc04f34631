import type { ReplyOf, TransportSession } from '../../core/index.ts'
import { FriendList } from '../friends/messages.ts'
import { QueryRooms } from '../groups/messages.ts'
import { encodeFrame, MAX_PLAIN_BYTES, roomFor } from './frame.ts'
import type { PacedOutbox } from './outbox.ts'
import { fitLists, roomRow, userRow } from './text.ts'
import { TO_CLIENT } from './types.ts'

/** Shortest interval between two lists that the client did not request. */
const REFRESH_MS = 1000
/** Most extra rows at the top of the list, for the users who wrote last. */
const MAX_OTHERS = 50

type Lists = Pick<ReplyOf<typeof FriendList>, 'friends'> & Pick<ReplyOf<typeof QueryRooms>, 'groups'>

/** Keeps the lists of friends and groups of one client up to date. */
export class ContactLists {
  readonly #upstream: TransportSession
  readonly #outbox: PacedOutbox
  readonly #failed: (error: unknown) => void
  #sending: Promise<void> = Promise.resolve()
  /** Result of the last query. */
  #lists: Lists | undefined
  /** Users on the list that the client has. */
  #listed: ReadonlySet<string> = new Set()
  /** Nicknames by name of users who wrote and were not on the list: the client opens a chat only from a row. */
  readonly #others = new Map<string, string>()
  /** Runs until the next refresh is allowed. */
  #pause: NodeJS.Timeout | undefined
  /** Whether the lists have changed since the last refresh. */
  #isStale = false
  #isStopped = false

  /** @param failed receives the error of a refresh that no caller awaits */
  constructor(upstream: TransportSession, outbox: PacedOutbox, failed: (error: unknown) => void) {
    this.#upstream = upstream
    this.#outbox = outbox
    this.#failed = failed
  }

  /** Whether the client has a row for that user. */
  has(user: string): boolean {
    return this.#listed.has(user)
  }

  /** Queries and sends the lists, one at a time, so that the newest is sent last. */
  send(): Promise<void> {
    const sent = this.#sending.then(() => this.#send())
    this.#sending = sent.catch(() => {})
    return sent
  }

  /**
   * Sends the lists after a change by other users, at most once per REFRESH_MS, since the queries count against this user's
   * request rate. Changes in between are coalesced into the next refresh, which is not awaited.
   */
  async refresh() {
    if (this.#isStopped) return
    this.#isStale = this.#pause !== undefined
    if (this.#isStale) return
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      if (this.#isStale) this.refresh().catch(this.#failed)
    }, REFRESH_MS)
    await this.send()
  }

  /** Adds a row for a user, from the last query: messages of others must not use up this user's request rate. */
  async addOther(user: string, nickname: string) {
    this.#others.set(user, nickname)
    const [oldest] = this.#others.keys()
    if (this.#others.size > MAX_OTHERS && oldest !== undefined) this.#others.delete(oldest)
    if (this.#lists === undefined) await this.send()
    else this.#show(this.#lists)
  }

  removeOther(user: string) {
    this.#others.delete(user)
  }

  /** The connection has ended: cancels the pending refresh. */
  stop() {
    this.#isStopped = true
    clearTimeout(this.#pause)
  }

  async #send() {
    const { friends } = await this.#upstream.receive(FriendList, {})
    const { groups } = await this.#upstream.receive(QueryRooms, {})
    this.#lists = { friends, groups }
    this.#show(this.#lists)
  }

  #show({ friends, groups }: Lists) {
    // At the top, since a list that is too long is truncated at its end.
    const others = [...this.#others].map(([user, nickname]) => ({ user, nickname }))
    const users = [...others, ...friends.filter(({ user }) => !this.#others.has(user))]
    const [userRows = '', roomRows = ''] = fitLists(
      [
        { rows: users.map(userRow), none: 'no friend' },
        { rows: groups.map(roomRow), none: 'no chatroom' },
      ],
      roomFor([], MAX_PLAIN_BYTES, 2),
    )
    const shown = new Set(userRows.split(' + '))
    this.#listed = new Set(users.filter((user) => shown.has(userRow(user))).map(({ user }) => user))
    this.#outbox.list(encodeFrame(TO_CLIENT.lists, userRows, roomRows))
  }
}

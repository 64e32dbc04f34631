import type { ReplyOf, TransportSession } from '../../core/index.ts'
import { FriendList } from '../friends/messages.ts'
import { QueryRooms } from '../groups/messages.ts'
import { encodeFrame, MAX_PLAIN, roomFor } from './frame.ts'
import type { PacedOutbox } from './outbox.ts'
import { fitLists, roomRow, userRow } from './text.ts'
import { TO_CLIENT } from './types.ts'

/** Between two lists that the client did not ask for. */
const REFRESH_MS = 1000
/** Users with a row in front of the list, at most: the last ones who wrote. */
const MAX_OTHERS = 50

type Lists = Pick<ReplyOf<typeof FriendList>, 'friends'> & Pick<ReplyOf<typeof QueryRooms>, 'groups'>

/** The lists of friends and groups that one client has. */
export class ContactLists {
  readonly #upstream: TransportSession
  readonly #outbox: PacedOutbox
  readonly #failed: (error: unknown) => void
  #sending: Promise<void> = Promise.resolve()
  /** As they were last asked for. */
  #lists: Lists | undefined
  /** Users on the list that the client has. */
  #listed: ReadonlySet<string> = new Set()
  /** Users who wrote and were not on the list, as no friends or cut off it: without a row it could not be opened. */
  readonly #others = new Map<string, string>()
  /** Runs while no other refreshed list may go out. */
  #pause: NodeJS.Timeout | undefined
  /** What is on the lists has changed since they were last refreshed. */
  #isStale = false
  #isStopped = false

  /** @param failed told of a list that could not be sent and that nobody waits for */
  constructor(upstream: TransportSession, outbox: PacedOutbox, failed: (error: unknown) => void) {
    this.#upstream = upstream
    this.#outbox = outbox
    this.#failed = failed
  }

  /** Whether the client has a row for that user. */
  has(user: string): boolean {
    return this.#listed.has(user)
  }

  /** One at a time: the list that was read last is the one that is sent last. */
  send(): Promise<void> {
    const sent = this.#sending.then(() => this.#send())
    this.#sending = sent.catch(() => {})
    return sent
  }

  /**
   * For a change that others made. However often they do, this user's own request rate pays for one list in REFRESH_MS:
   * changes in between share the next one, which is not waited for.
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

  /** Gives a user a row who has none. Asks for nothing: how often others write is not this user's request rate. */
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

  /** The client has gone: nothing is due any more. */
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
    // In front, so that they are not cut off a list that is too long.
    const others = [...this.#others].map(([user, nickname]) => ({ user, nickname }))
    const users = [...others, ...friends.filter(({ user }) => !this.#others.has(user))]
    const [userRows = '', roomRows = ''] = fitLists(
      [
        { rows: users.map(userRow), none: 'no friend' },
        { rows: groups.map(roomRow), none: 'no chatroom' },
      ],
      roomFor([], MAX_PLAIN, 2),
    )
    const shown = new Set(userRows.split(' + '))
    this.#listed = new Set(users.filter((user) => shown.has(userRow(user))).map(({ user }) => user))
    this.#outbox.list(encodeFrame(TO_CLIENT.lists, userRows, roomRows))
  }
}

import { setImmediate as turn } from 'node:timers/promises'
import type { Knex } from 'knex'
import { KeyedQueue, LoadCache, Refused, type User } from '../../core/index.ts'
import { blockedBy, type ChangeFeed, type FriendConflict, friendsOf } from '../../db/index.ts'
import { FAILURES } from './failures.ts'

/** Relations of a user to others, as far as the message path needs them. */
export interface Circle {
  /** Friends, each with the time the friendship began. */
  readonly friends: ReadonlyMap<number, number>
  readonly blocked: ReadonlySet<number>
}

/** Of a user without relations. */
const EMPTY: Circle = { friends: new Map(), blocked: new Set() }

const CACHE_ENTRIES = 20_000

const CONFLICTS: Readonly<Record<FriendConflict, ConstructorParameters<typeof Refused>>> = {
  already_friends: [FAILURES.already_friends],
  already_requested: [FAILURES.already_requested],
  blocked: [FAILURES.blocked],
  no_request: [FAILURES.no_request],
  not_friends: [FAILURES.not_friends],
  not_blocked: [FAILURES.not_blocked],
  blocked_by_oneself: [FAILURES.blocked, 'you have blocked this user; unblock first'],
  too_many_friends: ['too_many', 'you have too many friends'],
  too_many_friends_there: ['too_many', 'this user has too many friends'],
  too_many_requests: ['too_many'],
  too_many_blocks: ['too_many', 'you have blocked too many users'],
}

const refusalOf = (conflict: FriendConflict) => new Refused(...CONFLICTS[conflict])

type Ends = readonly [Pick<User, 'id'>, Pick<User, 'id'>]

const keyOf = ([{ id: one }, { id: other }]: Ends) => `${Math.min(one, other)} ${Math.max(one, other)}`

/**
 * A cache of circles, which follows the log, and the order of changes. Changes between two users run one at a time: a change begins after the
 * messages accepted before it are stored and pushed, and messages between the two wait until it has ended.
 */
export class Circles {
  readonly #circles: LoadCache<number, Circle>
  readonly #queue = new KeyedQueue<string>()
  readonly #changes: ChangeFeed
  readonly #settled: () => Promise<void>

  /** @param settled resolves when the messages accepted so far are stored and pushed, or have failed */
  constructor(db: Knex, changes: ChangeFeed, settled: () => Promise<void>) {
    this.#changes = changes
    this.#settled = settled
    this.#circles = new LoadCache<number, Circle>(CACHE_ENTRIES, async (userId) => {
      const [friends, blocked] = [await friendsOf(db, userId), await blockedBy(db, userId)]
      return { friends: new Map(friends.map((row) => [row.friend_id, row.add_time])), blocked: new Set(blocked) }
    })
    const circles = this.#circles
    changes.follow('relation', {
      changed: ({ subject, target_id }) => circles.forget(subject, ...(target_id ? [target_id] : [])),
      missed: () => circles.clear(),
    })
  }

  async of(userId: number): Promise<Circle> {
    return (await this.#circles.get(userId)) ?? EMPTY
  }

  /**
   * Checks a message against its recipient's circle: synchronously when that is cached and no change between the two is
   * in progress, otherwise in its turn.
   */
  check(sender: Pick<User, 'id'>, recipient: Pick<User, 'id'>, check: (circle: Circle) => void): void | Promise<void> {
    const circle = this.#circles.get(recipient.id)
    if (!(circle instanceof Promise) && this.#queue.isIdle) return check(circle ?? EMPTY)
    const key = keyOf([sender, recipient])
    if (!(circle instanceof Promise) && !this.#queue.isBusy(key)) return check(circle ?? EMPTY)
    return this.#queue.run(key, async () => check(await this.of(recipient.id)))
  }

  /**
   * Changes the relation of two users. Later reads see the change.
   * @param announce runs before any later message between the two is handled
   * @throws Refused according to the conflict
   */
  change<T extends object>(
    ends: Ends,
    work: () => Promise<T | { readonly conflict: FriendConflict }>,
    announce: (outcome: T) => void,
  ): Promise<void> {
    return this.#queue.run(keyOf(ends), async () => {
      // Messages accepted in this turn reach the writer.
      await turn()
      await this.#settled()
      // Their senders get the replies.
      await turn()
      const outcome = await this.#changes.after(work)
      if ('conflict' in outcome) throw refusalOf(outcome.conflict)
      announce(outcome)
    })
  }
}

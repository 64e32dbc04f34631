import { setImmediate as turn } from 'node:timers/promises'
import type { Knex } from 'knex'
import { KeyedQueue, LoadCache, Refused, type User } from '../../core/index.ts'
import { blockedBy, type FriendConflict, friendsOf } from '../../db/index.ts'
import { FAILURES } from './failures.ts'

/** Whom a user knows, as far as the message path must know it. */
export interface Circle {
  /** Friends, and since when. */
  readonly friends: ReadonlyMap<number, number>
  readonly blocked: ReadonlySet<number>
}

/** Of a user nothing is known of. */
const NOBODY: Circle = { friends: new Map(), blocked: new Set() }

/** Circles kept in memory. */
const CIRCLES_KEPT = 20_000

const CONFLICTS: Readonly<Record<FriendConflict, ConstructorParameters<typeof Refused>>> = {
  already_friends: [FAILURES.already_friends],
  already_requested: [FAILURES.already_requested],
  blocked: [FAILURES.blocked],
  no_request: [FAILURES.no_request],
  not_friends: [FAILURES.not_friends],
  not_blocked: [FAILURES.not_blocked],
  blocked_by_oneself: [FAILURES.blocked, 'you have blocked this user; unblock first'],
  too_many_friends: ['too_many', 'you have too many friends already'],
  too_many_friends_there: ['too_many', 'that user has too many friends already'],
  too_many_requests: ['too_many'],
  too_many_requests_there: ['too_many', 'too many requests wait for that user already'],
  too_many_blocks: ['too_many', 'you have blocked too many users already'],
}

const refusalOf = (conflict: FriendConflict) => new Refused(...CONFLICTS[conflict])

type Ends = readonly [Pick<User, 'id'>, Pick<User, 'id'>]

const keyOf = ([{ id: one }, { id: other }]: Ends) => `${Math.min(one, other)} ${Math.max(one, other)}`

/**
 * The circles in memory. What two users are to each other is changed alone: a change begins when the messages that were
 * accepted before it are stored and pushed, and what they send each other meanwhile waits for its end.
 */
export class Circles {
  readonly #circles: LoadCache<number, Circle>
  readonly #queue = new KeyedQueue<string>()
  readonly #settled: () => Promise<void>

  /** @param settled resolves when the messages accepted so far are stored and pushed, or could not be */
  constructor(db: Knex, settled: () => Promise<void>) {
    this.#settled = settled
    this.#circles = new LoadCache<number, Circle>(CIRCLES_KEPT, async (userId) => {
      const [friends, blocked] = [await friendsOf(db, userId), await blockedBy(db, userId)]
      return { friends: new Map(friends.map((row) => [row.friend_id, row.add_time])), blocked: new Set(blocked) }
    })
  }

  async of(userId: number): Promise<Circle> {
    return (await this.#circles.get(userId)) ?? NOBODY
  }

  /**
   * Looks at the circle of a recipient: at once when it is in memory and what the two are to each other is not being
   * changed, otherwise in its turn.
   */
  check(sender: Pick<User, 'id'>, recipient: Pick<User, 'id'>, look: (circle: Circle) => void): void | Promise<void> {
    const key = keyOf([sender, recipient])
    const circle = this.#circles.get(recipient.id)
    if (!(circle instanceof Promise) && !this.#queue.isBusy(key)) return look(circle ?? NOBODY)
    return this.#queue.run(key, async () => look(await this.of(recipient.id)))
  }

  /**
   * Changes what two users are to each other; whoever reads it afterwards sees the change. `told` runs before anything
   * else comes for the two.
   * @throws Refused as the conflict says
   */
  change<T extends object>(
    ends: Ends,
    work: () => Promise<T | { readonly conflict: FriendConflict }>,
    told: (outcome: T) => void,
  ): Promise<void> {
    return this.#queue.run(keyOf(ends), async () => {
      // So that what was accepted in this turn has reached the writer.
      await turn()
      await this.#settled()
      // And so that all who waited for it have been told.
      await turn()
      try {
        const outcome = await work()
        if ('conflict' in outcome) throw refusalOf(outcome.conflict)
        this.#forget(ends)
        told(outcome)
      } finally {
        // An error may hide that it was done.
        this.#forget(ends)
      }
    })
  }

  #forget([one, other]: Ends) {
    this.#circles.forget(one.id, other.id)
  }
}

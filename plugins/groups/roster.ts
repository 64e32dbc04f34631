import { setImmediate as turn } from 'node:timers/promises'
import type { Knex } from 'knex'
import { KeyedQueue, LoadCache, Refused, type User } from '../../core/index.ts'
import {
  type ChangeFeed,
  findGroup,
  findGroupById,
  type GroupConflict,
  type GroupKey,
  type GroupOutcome,
  groupsSeen,
  hasMembership,
  type LogEntry,
  membersOf,
} from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { FAILURES as FRIEND_FAILURES } from '../friends/failures.ts'
import { FAILURES } from './failures.ts'
import { type Group, type GroupRole, toGroup } from './group.ts'

const MAX_CACHED_GROUPS = 5000
/** Users whose list of groups is cached. */
const MAX_CACHED_USERS = 20_000

/** The group before a change, if it was cached, and after it. */
export interface Change {
  readonly before: Group | undefined
  readonly after: Group
}

const CONFLICTS: Readonly<Record<Exclude<GroupConflict, 'group_not_exist'>, ConstructorParameters<typeof Refused>>> = {
  group_exists: [FAILURES.group_exists],
  not_member: [FAILURES.not_member],
  already_member: [FAILURES.already_member],
  not_invited: [FAILURES.not_invited],
  no_invitation: [FAILURES.not_invited, 'you have no pending invitation to this group'],
  owner_must_stay: [FAILURES.owner_must_stay],
  role_too_low: [FAILURES.role_too_low],
  blocked: [FRIEND_FAILURES.blocked],
  user_not_exist: [ACCOUNT_FAILURES.user_not_exist],
  group_full: ['too_many', 'the group is full'],
  too_many_groups: ['too_many', 'you are in too many groups'],
  too_many_invitations: ['too_many', 'there are too many pending invitations'],
}

const noGroup = (name: string) => new Refused(FAILURES.group_not_exist, `there is no group "${name}"`)

/** @param name of the group, as the client named it */
export const refusalOf = (conflict: GroupConflict, name: string) =>
  conflict === 'group_not_exist' ? noGroup(name) : new Refused(...CONFLICTS[conflict])

/**
 * A cache of groups by id and by name, which follows the log, and the order of their changes. Changes of a group run one at a time: a change
 * begins after the messages accepted before it are stored and pushed, and requests to the group wait until it has ended.
 * So a message goes to the members at its commit, and no member gets the notice of a change before an earlier message.
 */
export class Roster {
  readonly #db: Knex
  readonly #changes: ChangeFeed
  readonly #settled: () => Promise<unknown>
  readonly #ids: LoadCache<string, { readonly id: number }>
  readonly #groups: LoadCache<number, Group>
  readonly #groupIds: LoadCache<number, ReadonlySet<number>>
  readonly #queue = new KeyedQueue<number>()
  /** Groups that are being changed, with the number of changes that the log has told since: its own and those of others. */
  readonly #told = new Map<number, number>()

  /** @param settled resolves when the messages accepted so far are stored and pushed, or have failed */
  constructor(db: Knex, changes: ChangeFeed, settled: () => Promise<unknown>) {
    this.#db = db
    this.#changes = changes
    this.#settled = settled
    this.#ids = new LoadCache<string, { readonly id: number }>(MAX_CACHED_GROUPS, (name) => findGroup(db, name))
    this.#groups = new LoadCache(MAX_CACHED_GROUPS, (id) => this.#load(id))
    this.#groupIds = new LoadCache<number, ReadonlySet<number>>(MAX_CACHED_USERS, async (userId) => {
      const seen = await groupsSeen(db, userId)
      return new Set(seen.map(({ id }) => id))
    })
    changes.follow('group', { changed: (entry) => this.#stale(entry), missed: () => this.#clear() })
  }

  /** The group of a name, synchronously when cached. @throws Refused `group_not_exist` */
  named(name: string): Group | Promise<Group> {
    const found = this.#ids.get(name)
    const id = found instanceof Promise ? found.then((row) => row?.id) : found?.id
    const group = id instanceof Promise ? id.then((known) => this.#get(known)) : this.#get(id)
    const check = (loaded: Group | undefined) => (loaded?.name === name ? loaded : this.#renamed(name))
    return group instanceof Promise ? group.then(check) : check(group)
  }

  /** The group that has a name now: the one that was cached under it has another one. */
  async #renamed(name: string): Promise<Group> {
    this.#ids.forget(name)
    const group = await this.#get((await this.#ids.get(name))?.id)
    if (group?.name === name) return group
    throw noGroup(name)
  }

  byId(id: number): Group | undefined | Promise<Group | undefined> {
    return this.#groups.get(id)
  }

  /** The present state of a group if it is cached. */
  peek(id: number): Group | undefined {
    return this.#groups.peek(id)
  }

  /** Ids of a user's groups. */
  async idsOf(userId: number): Promise<ReadonlySet<number>> {
    return (await this.#groupIds.get(userId)) ?? new Set()
  }

  /** The group of a name, for a member. @throws Refused `group_not_exist`, `not_member` */
  async member(name: string, user: User): Promise<Group> {
    const group = await this.named(name)
    if (group.members.has(user.id)) return group
    throw await this.#refusalFor(group, user)
  }

  /**
   * Runs `act` for a member: synchronously when the group is cached and no change is in progress, otherwise in its turn.
   * A later change waits until `act` has returned, not until its promise is settled.
   * @throws Refused `group_not_exist`, `not_member`
   */
  asMember<T>(found: Group, user: User, act: (group: Group) => Promise<T>): Promise<T> {
    const isCurrent = this.#groups.peek(found.id) === found && !this.#queue.isBusy(found.id)
    return isCurrent && found.members.has(user.id) ? act(found) : this.#inTurn(found, user, act)
  }

  async #inTurn<T>({ id, name }: Group, user: User, act: (group: Group) => Promise<T>): Promise<T> {
    const { begun } = await this.#queue.run(id, async () => {
      const group = await this.member(name, user)
      if (group.id !== id) throw noGroup(name)
      return { begun: act(group) }
    })
    return begun
  }

  /**
   * Changes a group. Later reads see the change.
   * @param announce runs before any later request to the group is handled
   * @throws Refused according to the conflict
   */
  change(
    name: string,
    work: (key: GroupKey) => Promise<GroupOutcome>,
    announce: (change: Change) => void,
  ): Promise<void> {
    return this.#alone(name, async (key) => {
      // Messages accepted in this turn reach the writer.
      await turn()
      await this.#settled()
      // Their senders get the replies.
      await turn()
      const before = this.#groups.peek(key.id)
      announce({ before, after: await this.#changed(key, () => work(key)) })
    })
  }

  /** The same for a change that members cannot see: without waiting for messages of the group. */
  unchanged<T extends object>(
    name: string,
    work: (key: GroupKey) => Promise<T | { readonly conflict: GroupConflict }>,
    announce: (outcome: T) => void,
  ): Promise<void> {
    return this.#alone(name, async (key) => {
      const outcome = await this.#changes.after(() => work(key))
      if ('conflict' in outcome) throw refusalOf(outcome.conflict, name)
      announce(outcome)
    })
  }

  async #alone(name: string, work: (key: GroupKey) => Promise<void>): Promise<void> {
    const found = await this.#ids.get(name)
    if (found === undefined) throw noGroup(name)
    const key = { id: found.id, name }
    await this.#queue.run(key.id, () => work(key))
  }

  async #changed({ id, name }: GroupKey, work: () => Promise<GroupOutcome>): Promise<Group> {
    this.#told.set(id, 0)
    try {
      const outcome = await this.#changes.after(work)
      if ('conflict' in outcome) throw refusalOf(outcome.conflict, name)
      const after = toGroup(outcome)
      // A dissolved group keeps it in memory.
      this.#ids.forget(name)
      // Another server may have changed the group since: then it is loaded again.
      if (this.#told.get(id) === 1) this.#groups.set(id, after)
      return after
    } finally {
      this.#told.delete(id)
    }
  }

  /** Runs a change that creates a group. Later reads see it. */
  create<T>(work: () => Promise<T>): Promise<T> {
    return this.#changes.after(work)
  }

  /** A group was dissolved: by id it is found without members. Another group may take its name. */
  dissolved(group: Group, name: string) {
    this.#groups.set(group.id, { ...group, name, members: new Map(), memberIds: [] })
  }

  /** The name of a new or renamed group may be in the loads in flight as one without a group. */
  #stale({ subject, target_id }: LogEntry) {
    this.#ids.forgetLoads()
    this.#groups.forget(subject)
    const told = this.#told.get(subject)
    if (told !== undefined) this.#told.set(subject, told + 1)
    if (target_id) this.#groupIds.forget(target_id)
  }

  #clear() {
    for (const cache of [this.#ids, this.#groups, this.#groupIds]) cache.clear()
  }

  async #load(id: number): Promise<Group | undefined> {
    const group = await findGroupById(this.#db, id)
    return group && toGroup({ group, members: await membersOf(this.#db, id) })
  }

  #get(id: number | undefined): Group | undefined | Promise<Group | undefined> {
    return id === undefined ? undefined : this.#groups.get(id)
  }

  /** See refusalOfEntry in db/group-transaction.ts. */
  async #refusalFor({ id, name, isOpen }: Group, user: User): Promise<Refused> {
    const mayKnow = isOpen || (await hasMembership(this.#db, id, user.id))
    return mayKnow ? new Refused(FAILURES.not_member) : noGroup(name)
  }
}

/** @throws Refused `not_member` */
export function roleIn(group: Group, userId: number): GroupRole {
  const member = group.members.get(userId)
  if (member === undefined) throw new Refused(FAILURES.not_member)
  return member.role
}

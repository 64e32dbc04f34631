import { setImmediate as turn } from 'node:timers/promises'
import type { Knex } from 'knex'
import { KeyedQueue, LoadCache, Refused, type User } from '../../core/index.ts'
import {
  findGroup,
  findGroupById,
  type GroupConflict,
  type GroupKey,
  type GroupOutcome,
  groupsSeen,
  hasMembership,
  membersOf,
} from '../../db/index.ts'
import { FAILURES as ACCOUNT_FAILURES } from '../accounts/failures.ts'
import { FAILURES as FRIEND_FAILURES } from '../friends/failures.ts'
import { FAILURES } from './failures.ts'
import { type Group, type GroupRole, toGroup } from './group.ts'

/** Groups kept in memory. */
const GROUPS_KEPT = 5000
/** Users whose groups are kept in memory. */
const USERS_KEPT = 20_000

/** What a change of a group came to: the group before it, where that was in memory, and after it. */
export interface Change {
  readonly before: Group | undefined
  readonly after: Group
}

/** What does not fit is told by the limit that it is beyond. */
const CONFLICTS: Readonly<Record<GroupConflict, ConstructorParameters<typeof Refused>>> = {
  group_not_exist: [FAILURES.group_not_exist],
  group_exists: [FAILURES.group_exists],
  not_member: [FAILURES.not_member],
  already_member: [FAILURES.already_member],
  not_invited: [FAILURES.not_invited],
  owner_must_stay: [FAILURES.owner_must_stay],
  role_too_low: [FAILURES.role_too_low],
  blocked: [FRIEND_FAILURES.blocked],
  user_not_exist: [ACCOUNT_FAILURES.user_not_exist],
  group_full: ['too_many', 'the group is full'],
  too_many_groups: ['too_many', 'you are in too many groups already'],
  too_many_invitations: ['too_many', 'too many invitations wait for an answer already'],
}

export const refusalOf = (conflict: GroupConflict) => new Refused(...CONFLICTS[conflict])

const noGroup = (name: string) => new Refused(FAILURES.group_not_exist, `there is no group "${name}"`)

/**
 * The groups in memory, by number, and their names apart. A change of a group runs alone: it begins when the messages
 * that were accepted before it are stored and pushed, and what comes for the group meanwhile waits for its end. So a
 * message is stored and pushed as the group is, and no member hears of a change before a message that came before it.
 */
export class Roster {
  readonly #db: Knex
  readonly #settled: () => Promise<unknown>
  readonly #ids: LoadCache<string, { readonly id: number }>
  readonly #groups: LoadCache<number, Group>
  readonly #groupIds: LoadCache<number, ReadonlySet<number>>
  readonly #queue = new KeyedQueue<number>()

  /** @param settled resolves when what was accepted so far is stored and pushed, or could not be */
  constructor(db: Knex, settled: () => Promise<unknown>) {
    this.#db = db
    this.#settled = settled
    this.#ids = new LoadCache<string, { readonly id: number }>(GROUPS_KEPT, (name) => findGroup(db, name))
    this.#groups = new LoadCache(GROUPS_KEPT, (id) => this.#load(id))
    this.#groupIds = new LoadCache<number, ReadonlySet<number>>(USERS_KEPT, async (userId) => {
      const seen = await groupsSeen(db, userId)
      return new Set(seen.map(({ id }) => id))
    })
  }

  /** The group of that name, at once when it is in memory. */
  named(name: string): Group | Promise<Group> {
    const found = this.#ids.get(name)
    const id = found instanceof Promise ? found.then((row) => row?.id) : found?.id
    const group = id instanceof Promise ? id.then((known) => this.#get(known)) : this.#get(id)
    // What was called so a moment ago may be called otherwise now.
    const check = (loaded: Group | undefined): Group => {
      if (loaded?.name === name) return loaded
      throw noGroup(name)
    }
    return group instanceof Promise ? group.then(check) : check(group)
  }

  byId(id: number): Group | undefined | Promise<Group | undefined> {
    return this.#groups.get(id)
  }

  /** The group as it is now if that is in memory. */
  peek(id: number): Group | undefined {
    return this.#groups.peek(id)
  }

  /** Numbers of the groups of a user. */
  async idsOf(userId: number): Promise<ReadonlySet<number>> {
    return (await this.#groupIds.get(userId)) ?? new Set()
  }

  /** @throws Refused `group_not_exist`, `not_member` */
  async member(name: string, user: User): Promise<Group> {
    const group = await this.named(name)
    if (group.members.has(user.id)) return group
    throw await this.#stranger(group, user)
  }

  /**
   * Does something with a group as a member: at once when the group is in memory and not being changed, otherwise in
   * its turn. What comes after it, a change above all, waits until `act` has returned, not for what it returns.
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
   * Changes a group; whoever reads it afterwards sees the change. `told` runs before anything else comes for the group.
   * @throws Refused as the conflict says
   */
  change(name: string, work: (key: GroupKey) => Promise<GroupOutcome>, told: (change: Change) => void): Promise<void> {
    return this.#alone(name, async (key) => {
      // So that what was accepted in this turn has reached the writer.
      await turn()
      await this.#settled()
      // And so that all who waited for it have been told.
      await turn()
      const before = this.#groups.peek(key.id)
      told({ before, after: await this.#changed(key, work) })
    })
  }

  /** The same for a change that no member sees: messages of the group need not be waited for. */
  unchanged<T extends object>(
    name: string,
    work: (key: GroupKey) => Promise<T | { readonly conflict: GroupConflict }>,
    told: (outcome: T) => void,
  ): Promise<void> {
    return this.#alone(name, async (key) => {
      const outcome = await work(key)
      if ('conflict' in outcome) throw refusalOf(outcome.conflict)
      told(outcome)
    })
  }

  async #alone(name: string, work: (key: GroupKey) => Promise<void>): Promise<void> {
    const found = await this.#ids.get(name)
    if (found === undefined) throw noGroup(name)
    const key = { id: found.id, name }
    await this.#queue.run(key.id, () => work(key))
  }

  async #changed(key: GroupKey, work: (key: GroupKey) => Promise<GroupOutcome>): Promise<Group> {
    const { id, name } = key
    const outcome = await work(key).catch((error: unknown) => {
      // It may have been done all the same.
      this.#groups.forget(id)
      this.#ids.forget(name)
      throw error
    })
    if ('conflict' in outcome) throw refusalOf(outcome.conflict)
    const after = toGroup(outcome)
    this.#ids.forget(name, after.name)
    this.#groups.set(id, after)
    return after
  }

  /** A group was made. */
  made(name: string, ownerId: number) {
    this.#ids.forget(name)
    this.forgetUsers([ownerId])
  }

  /** A group was dissolved: whoever has it by its number finds it without members. Another one may take its name. */
  dissolved(group: Group, name: string) {
    this.#groups.set(group.id, { ...group, name, members: new Map(), memberIds: [] })
  }

  /** Users came to a group or left one. */
  forgetUsers(userIds: Iterable<number>) {
    this.#groupIds.forget(...userIds)
  }

  async #load(id: number): Promise<Group | undefined> {
    const group = await findGroupById(this.#db, id)
    return group && toGroup({ group, members: await membersOf(this.#db, id) })
  }

  #get(id: number | undefined): Group | undefined | Promise<Group | undefined> {
    return id === undefined ? undefined : this.#groups.get(id)
  }

  /** That there is a group by invitation is told only to those who have to do with it. */
  async #stranger({ id, name, isOpen }: Group, user: User): Promise<Refused> {
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

import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
import { findGroup, type MemberRow, membersOf } from '../../db/index.ts'

export type GroupRole = Exclude<MemberRow['role'], 'invited'>

/** A group as far as the message path must know it. */
export interface Group {
  readonly id: number
  readonly name: string
  readonly isOpen: boolean
  /** Active members only. */
  readonly members: ReadonlyMap<number, { readonly role: GroupRole; readonly joinedSeq: number }>
  readonly invited: ReadonlySet<number>
}

/** Groups kept in memory. */
const CACHED = 5000

/** Groups by name, kept in memory so that a message costs no query; forgotten when anything about them changes. */
export class Roster {
  readonly #db: Knex
  readonly #known = new LRUCache<string, Group>({ max: CACHED })
  readonly #loading = new Map<string, Promise<Group | undefined>>()

  constructor(db: Knex) {
    this.#db = db
  }

  /** The group of that name, at once when it is in memory; undefined if there is none. */
  find(name: string): Group | undefined | Promise<Group | undefined> {
    return this.#known.get(name) ?? this.#loading.get(name) ?? this.#fetch(name)
  }

  forget(name: string) {
    this.#known.delete(name)
    // What is being read now may be older than the change.
    this.#loading.delete(name)
  }

  #fetch(name: string): Promise<Group | undefined> {
    const loading = this.#load(name).then((group) => {
      if (group !== undefined && this.#loading.get(name) === loading) this.#known.set(name, group)
      return group
    })
    this.#loading.set(name, loading)
    const done = () => {
      if (this.#loading.get(name) === loading) this.#loading.delete(name)
    }
    loading.then(done, done)
    return loading
  }

  async #load(name: string): Promise<Group | undefined> {
    const row = await findGroup(this.#db, name)
    if (row === undefined) return undefined
    const rows = await membersOf(this.#db, row.id)
    const active = rows.filter((member) => member.isActive && member.role !== 'invited')
    return {
      id: row.id,
      name: row.chatroom_name,
      isOpen: Boolean(row.isOpen),
      members: new Map(
        active.map((member) => [member.user_id, { role: member.role as GroupRole, joinedSeq: member.joined_seq }]),
      ),
      invited: new Set(rows.filter(({ role }) => role === 'invited').map(({ user_id }) => user_id)),
    }
  }
}

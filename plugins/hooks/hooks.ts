import { Refused } from '../../core/index.ts'
import { allHooks, countDeadLetters, type HookRow, removeHook } from '../../db/index.ts'
import { ConversationChanged } from '../messages/events.ts'
import { FAILURES } from './failures.ts'
import { Hook } from './hook.ts'
import type { Parts } from './parts.ts'

/** The outgoing webhooks of a server. */
export class Hooks {
  readonly #parts: Parts
  readonly #byId = new Map<number, Hook>()
  readonly #byUser = new Map<number, Set<Hook>>()
  #unsubscribe: (() => void) | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Reads the hooks of the database; none delivers anything before `start`. */
  async load() {
    const { db } = this.#parts
    for (const row of await allHooks(db)) this.#add(row, await countDeadLetters(db, row.id))
  }

  start() {
    for (const hook of this.#byId.values()) hook.wake()
  }

  async stop() {
    this.#unsubscribe?.()
    await Promise.all([...this.#byId.values()].map((hook) => hook.stop()))
  }

  /** In ascending order of id. */
  *[Symbol.iterator](): Generator<Hook, void, void> {
    yield* this.#byId.values()
  }

  /** @throws Refused `no_hook` */
  require(id: number): Hook {
    const hook = this.#byId.get(id)
    if (hook === undefined) throw new Refused(FAILURES.no_hook)
    return hook
  }

  /** Begins with a new hook. */
  add(row: HookRow) {
    this.#add(row, 0).wake()
  }

  #add(row: HookRow, dead: number): Hook {
    const hook = new Hook(this.#parts, row, dead)
    this.#byId.set(row.id, hook)
    this.#byUser.set(row.user_id, (this.#byUser.get(row.user_id) ?? new Set()).add(hook))
    // Without a hook, messages cost nothing here.
    this.#unsubscribe ??= this.#subscribe()
    return hook
  }

  async remove(hook: Hook) {
    const { id, user_id } = hook.row
    this.#byId.delete(id)
    const ofUser = this.#byUser.get(user_id)
    ofUser?.delete(hook)
    if (ofUser?.size === 0) this.#byUser.delete(user_id)
    await hook.stop()
    await removeHook(this.#parts.db, id)
  }

  #subscribe() {
    return this.#parts.app.on(ConversationChanged, (change) => {
      for (const userId of 'between' in change ? change.between : change.userIds)
        for (const hook of this.#byUser.get(userId) ?? []) hook.wake()
    })
  }
}

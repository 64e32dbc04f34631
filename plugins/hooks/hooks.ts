import { Refused } from '../../core/index.ts'
import { allHooks, claimHooks, countDeadLetters, findHook, type HookRow, Nodes, removeHook } from '../../db/index.ts'
import { ConversationChanged } from '../messages/events.ts'
import { FAILURES } from './failures.ts'
import { Hook } from './hook.ts'
import { type HookView, viewOf, viewOfRow } from './hook-view.ts'
import type { Parts } from './parts.ts'

/** The outgoing webhooks of a server; of a cluster, those that this node delivers for. */
export class Hooks {
  readonly #parts: Parts
  readonly #nodes: Nodes
  readonly #byId = new Map<number, Hook>()
  readonly #byUser = new Map<number, Set<Hook>>()
  #unsubscribe: (() => void) | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#nodes = new Nodes(parts.db, parts.app.clock)
  }

  /** Takes hooks of the database that no living node has. @returns the new ones, which deliver nothing before `wake` */
  async load(): Promise<Hook[]> {
    const { db, app } = this.#parts
    const { node } = app.cluster
    await claimHooks(db, node, this.#living)
    const rows = (await allHooks(db)).filter(({ id, owner }) => owner === node && !this.#byId.has(id))
    const loaded: Hook[] = []
    for (const row of rows) loaded.push(await this.#load(row))
    return loaded
  }

  start() {
    for (const hook of this.#byId.values()) hook.wake()
  }

  async stop() {
    this.#unsubscribe?.()
    await Promise.all([...this.#byId.values()].map((hook) => hook.stop()))
  }

  /** Those of this node, in the order in which they came. */
  *[Symbol.iterator](): Generator<Hook, void, void> {
    yield* this.#byId.values()
  }

  /** Those of all nodes, in ascending order of id. */
  async all(): Promise<HookView[]> {
    const { db, app } = this.#parts
    if (app.cluster.node === 0) return [...this].map(viewOf)
    const rows = await allHooks(db)
    return Promise.all(
      rows.map(async (row) => {
        const own = this.#byId.get(row.id)
        return own === undefined ? viewOfRow(db, row) : viewOf(own)
      }),
    )
  }

  /** The hook if it is this node's. */
  find(id: number): Hook | undefined {
    return this.#byId.get(id)
  }

  /** @throws Refused `no_hook` */
  async check(id: number) {
    if (!this.#byId.has(id) && (await findHook(this.#parts.db, id)) === undefined) throw new Refused(FAILURES.no_hook)
  }

  /**
   * The hook, which this node delivers for from now on.
   * @throws Refused `no_hook`; `unavailable` when the node that has it does not give it away
   */
  async take(id: number): Promise<Hook> {
    const { db, app } = this.#parts
    const { cluster } = app
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    if (cluster.node === 0) throw new Refused(FAILURES.no_hook)
    await this.#parts.askFor(id)
    await claimHooks(db, cluster.node, this.#living, id)
    const row = await findHook(db, id)
    if (row === undefined) throw new Refused(FAILURES.no_hook)
    if (row.owner !== cluster.node)
      throw new Refused('unavailable', 'another node delivers for this hook', { retryAfter: 1000 })
    const hook = await this.#load(row)
    hook.wake()
    return hook
  }

  /** Begins with a new hook. */
  add(row: HookRow) {
    this.#add(row, 0).wake()
  }

  async remove(hook: Hook) {
    this.drop(hook)
    await hook.stop()
    await removeHook(this.#parts.db, hook.row.id)
  }

  /** Delivers no more for a hook once it has stopped. */
  drop(hook: Hook) {
    const { id, user_id } = hook.row
    this.#byId.delete(id)
    const ofUser = this.#byUser.get(user_id)
    ofUser?.delete(hook)
    if (ofUser?.size === 0) this.#byUser.delete(user_id)
  }

  /** Undefined without a cluster. */
  get #living() {
    return this.#parts.app.cluster.node === 0 ? undefined : this.#nodes.living()
  }

  async #load(row: HookRow): Promise<Hook> {
    const dead = await countDeadLetters(this.#parts.db, row.id)
    // Another request may have loaded it meanwhile.
    return this.#byId.get(row.id) ?? this.#add(row, dead)
  }

  #add(row: HookRow, dead: number): Hook {
    const hook = new Hook(this.#parts, row, { dead, onLost: (lost) => this.drop(lost) })
    this.#byId.set(row.id, hook)
    this.#byUser.set(row.user_id, (this.#byUser.get(row.user_id) ?? new Set()).add(hook))
    // Without a hook, messages cost nothing here.
    this.#unsubscribe ??= this.#subscribe()
    return hook
  }

  #subscribe() {
    return this.#parts.app.on(ConversationChanged, (change) => {
      for (const userId of 'between' in change ? change.between : change.userIds)
        for (const hook of this.#byUser.get(userId) ?? []) hook.wake()
    })
  }
}

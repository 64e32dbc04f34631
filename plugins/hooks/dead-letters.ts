import {
  countDeadLetters,
  deadLetters,
  deleteHookAttempt,
  type HookAttemptRow,
  saveHookAttempt,
} from '../../db/index.ts'
import type { Parts } from './parts.ts'

/** Events of one hook that were given up. */
export class DeadLetters {
  readonly #parts: Pick<Parts, 'db' | 'limits'>
  readonly #hook: number
  count: number

  constructor(parts: Pick<Parts, 'db' | 'limits'>, hook: number, count: number) {
    this.#parts = parts
    this.#hook = hook
    this.count = count
  }

  /** Beyond the limit the oldest one is dropped. */
  async add(row: HookAttemptRow) {
    const { db, limits } = this.#parts
    await saveHookAttempt(db, row)
    this.count++
    if (this.count <= limits.hookDeadLetters) return
    for (const oldest of await deadLetters(db, this.#hook, 0, this.count - limits.hookDeadLetters))
      await deleteHookAttempt(db, this.#hook, oldest.message_id)
    await this.#recount()
  }

  /** Ids of all, or the one that is named if it is there. */
  async ids(id: number): Promise<number[]> {
    const rows = await deadLetters(this.#parts.db, this.#hook, 0, this.#parts.limits.hookDeadLetters)
    return rows.map((row) => row.message_id).filter((one) => id === 0 || one === id)
  }

  async remove(ids: readonly number[]) {
    for (const id of ids) await deleteHookAttempt(this.#parts.db, this.#hook, id)
    await this.#recount()
  }

  async #recount() {
    this.count = await countDeadLetters(this.#parts.db, this.#hook)
  }
}

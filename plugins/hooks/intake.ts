import { type HookRow, hookAttempts } from '../../db/index.ts'
import { isWanted, readEvents } from './delivery.ts'
import type { Outbox } from './outbox.ts'
import type { Parts } from './parts.ts'

/** Events of a hook in memory; the rest waits in the database. */
const WINDOW = 256

/** Takes the events of a hook from the database into its outbox. */
export class Intake {
  readonly #parts: Parts
  readonly #row: Pick<HookRow, 'id' | 'user_id'>
  readonly #outbox: Outbox
  readonly #kinds: ReadonlySet<string>
  readonly #conversations: ReadonlySet<string>
  /** Pending events of the last run, which are not in the outbox yet. */
  #unloaded: readonly number[]
  /** Whether the database may hold more. */
  #isBehind = true

  constructor(
    parts: Parts,
    row: Pick<HookRow, 'id' | 'user_id' | 'kinds' | 'conversations' | 'pending'>,
    outbox: Outbox,
  ) {
    this.#parts = parts
    this.#row = row
    this.#outbox = outbox
    this.#kinds = new Set(row.kinds.split(',').filter(Boolean))
    this.#conversations = new Set(row.conversations === '' ? [] : (JSON.parse(row.conversations) as string[]))
    this.#unloaded = row.pending
  }

  /** Ids of the events that were taken and are not delivered. */
  get pending(): number[] {
    return [...this.#unloaded, ...this.#outbox.pending]
  }

  /** There may be new events. */
  notify() {
    this.#isBehind = true
  }

  /** Whether `take` has something to do. */
  get hasRoom(): boolean {
    return (this.#isBehind || this.#unloaded.length > 0) && this.#outbox.size < WINDOW
  }

  /** Takes some events. @returns whether the position has moved */
  async take(): Promise<boolean> {
    if (this.#unloaded.length === 0) return this.#read()
    await this.load()
    return false
  }

  /** Takes the pending events of the last run, with their attempts. */
  async load() {
    const ids = this.#unloaded
    if (ids.length === 0) return
    const { id, user_id } = this.#row
    const attempts = new Map((await hookAttempts(this.#parts.db, id)).map((row) => [row.message_id, row]))
    // Given up, and killed before that was stored with the hook.
    const live = ids.filter((pending) => attempts.get(pending)?.next_at !== 0)
    const events = await readEvents(this.#parts, user_id, live)
    if (ids !== this.#unloaded) return
    this.#unloaded = []
    for (const { message, conversation } of events) {
      const row = attempts.get(message.id)
      this.#outbox.add({ id: message.id, conversation, attempts: row?.attempts ?? 0, dueAt: row?.next_at ?? 0 })
    }
  }

  async #read(): Promise<boolean> {
    const { conversations } = this.#parts
    const outbox = this.#outbox
    this.#isBehind = false
    // Before the read: the database may show a later message before an earlier one [D-6].
    const horizon = conversations.horizon()
    const query = { unreadOnly: false, withoutOwn: true, after: outbox.position, limit: WINDOW - outbox.size }
    try {
      const page = await conversations.read(this.#row.user_id, query)
      const found = page.found.filter(({ message }) => message.id <= horizon)
      for (const event of found)
        if (isWanted(event, this.#kinds, this.#conversations))
          outbox.add({ id: event.message.id, conversation: event.conversation, attempts: 0, dueAt: 0 })
      const position = Math.max(outbox.position, Math.min(page.readTo ?? 0, horizon), found.at(-1)?.message.id ?? 0)
      if (position === outbox.position) return false
      outbox.position = position
      // A message above the horizon was not fanned out; its fan-out notifies.
      if (page.more) this.#isBehind = true
      return true
    } catch (error) {
      this.#isBehind = true
      throw error
    }
  }
}

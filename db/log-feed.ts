import type { Knex } from 'knex'
import { ChangeFeed } from './change-feed.ts'
import { changesAfter, headOf, type NumberedEntry } from './log.ts'
import type { MessageRow } from './message-columns.ts'
import { messagesInLog } from './messages.ts'
import type { WriterLog } from './writer-log.ts'

/** Messages in one read. */
const PAGE = 1000

/** Age of the last read of the log beyond which the server acknowledges nothing: others may have changed anything since. */
const MAX_AGE_MS = 2000

/** Passes messages on to their recipients. @typeParam Routed a message with its recipients */
export interface MessageRouter<Routed> {
  push(message: Routed): void
  /** A promise that the next entry waits for, if there is one. */
  pause(): Promise<void> | undefined
  /** Reads at once what `find` needs for all of these messages. */
  prepare(rows: readonly MessageRow[]): Promise<void>
  /** Recipients of a message of another server as they are now; undefined for one that nobody is told of. */
  find(row: MessageRow): Routed | undefined | Promise<Routed | undefined>
  /** Resolves when those of these rows that this server is committing, if any, were passed to `add`. */
  committed(rows: readonly MessageRow[]): Promise<void> | undefined
}

export interface LogFeedParts {
  readonly db: Knex
  /** Monotonic time in milliseconds. */
  readonly now: () => number
  /** Tells the other servers that the log has this number. */
  readonly say: (last: number) => void
  /** Called when the log cannot be read any more; the followers have been told. */
  readonly onError: (error: unknown) => void
}

/**
 * The log of a database that several servers write to: messages and changes of all of them, each once and in the order of
 * their numbers. Messages of this server are not read again.
 */
export class LogFeed<Routed = unknown> extends ChangeFeed implements WriterLog {
  override readonly isShared = true
  readonly knownUpTo = Number.MAX_SAFE_INTEGER
  readonly #parts: LogFeedParts
  #router: MessageRouter<Routed> | undefined
  #seen: number
  /** See `checkedUpTo`. */
  #checkedUpTo: number
  /** A number that the log has, according to others or to the database. */
  #target: number
  /** Time of the last read that had everything, see LogFeedParts.now. */
  #readAt: number
  /** Messages of this server above `#seen`, by number, ascending. */
  readonly #own = new Map<number, Routed>()
  #running: Promise<void> | undefined
  /** Settles when the head that is being read is known. */
  #asking: Promise<unknown> | undefined
  /** The catch-up whose head is read after that. */
  #next: Promise<void> | undefined
  /** Numbers that catch-ups wait for, ascending. */
  readonly #awaited: { readonly head: number; readonly reached: () => void }[] = []
  /** The last number that this server has committed. */
  #committed: number
  #said: number
  #isSaying = false
  #isTurnOpen = false
  #isFailing = false

  private constructor(parts: LogFeedParts, seen: number) {
    // Of failures in a row only the first: the log is read several times a second.
    super(parts.db, seen, (error) => {
      if (!this.#isFailing) parts.onError(error)
      this.#isFailing = true
    })
    this.#parts = parts
    this.#seen = seen
    this.#checkedUpTo = seen
    this.#target = seen
    this.#committed = seen
    this.#said = seen
    this.#readAt = parts.now()
  }

  static async start<Routed>(parts: LogFeedParts): Promise<LogFeed<Routed>> {
    return new LogFeed<Routed>(parts, await headOf(parts.db))
  }

  /** Messages go to a router from now on. */
  route(router: MessageRouter<Routed>) {
    this.#router = router
  }

  /** Everything up to this number was told or passed on. */
  get seen(): number {
    return this.#seen
  }

  /**
   * A number up to which all that is checked in this turn of the event loop follows the log. What was told in this very turn
   * is above it: a check that was made just before does not know it.
   */
  get checkedUpTo(): number {
    return this.#checkedUpTo
  }

  /** Whether the log was not read for so long that nothing may be acknowledged. */
  get isBehind(): boolean {
    return this.#parts.now() - this.#readAt > MAX_AGE_MS
  }

  /** Messages are passed on when they are added, or later. */
  reported() {}

  /** A message of this server was committed. It is passed on at once, or after the entries before it. */
  add(id: number, message: Routed) {
    if (id <= this.#seen) return
    this.#hasCommitted(id)
    if (id === this.#seen + 1 && this.#running === undefined) return this.#push(id, message)
    this.#own.set(id, message)
    this.reach(id)
  }

  /** The log has this number, it is said. Passes on what the database shows of it. */
  reach(last: number) {
    this.#target = Math.max(this.#target, last)
    if (this.#target > this.#seen) this.#running ??= this.#run()
  }

  override async after<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await super.after(change)
    } finally {
      this.#hasCommitted(this.#seen)
    }
  }

  override catchUp(): Promise<void> {
    // The head that is being read may not have the caller's commit.
    this.#next ??= this.#readHead(this.#asking)
    return this.#next
  }

  /** Several catch-ups may be under way: under load one takes long, and the log is as old as the last one that has ended. */
  async #readHead(before: Promise<unknown> | undefined) {
    await before
    this.#next = undefined
    const begun = this.#parts.now()
    const asked = headOf(this.#parts.db)
    this.#asking = Promise.allSettled([asked])
    let head: number
    try {
      head = await asked
    } catch (error) {
      return this.missed(error)
    }
    this.reach(head)
    await this.#reached(head)
    if (this.#seen < head) return
    this.#readAt = Math.max(this.#readAt, begun)
    this.#isFailing = false
  }

  /** Resolves when everything up to a number was passed on, or cannot be: under load `#run` goes on beyond it. */
  #reached(head: number): Promise<void> | undefined {
    if (this.#seen >= head || this.#running === undefined) return undefined
    return new Promise((reached) => this.#awaited.push({ head, reached }))
  }

  #endWaits(upTo: number) {
    for (let [first] = this.#awaited; first !== undefined && first.head <= upTo; [first] = this.#awaited) {
      this.#awaited.shift()
      first.reached()
    }
  }

  /** Never rejects. */
  async #run() {
    try {
      while (this.#seen < this.#target) {
        const own = this.#own.get(this.#seen + 1)
        // Awaited in any case: `#running` must be set before the end.
        await (own === undefined ? this.#read() : this.#pushAndPause(this.#seen + 1, own))
      }
    } catch (error) {
      this.#target = this.#seen
      this.missed(error)
    } finally {
      this.#running = undefined
      this.#endWaits(Number.MAX_SAFE_INTEGER)
    }
  }

  /** Reads entries of others, up to the first message of this server. */
  async #read() {
    const [firstOwn = Number.MAX_SAFE_INTEGER] = this.#own.keys()
    const { db } = this.#parts
    const upTo = Math.min(this.#target, firstOwn - 1)
    const before = this.#seen
    const rows = await messagesInLog(db, before, upTo, PAGE)
    // Numbers have no gaps: as many messages as numbers leave none to changes.
    const isFull = rows.length === Math.min(PAGE, upTo - before) && rows.at(-1)?.id === before + rows.length
    const entries = isFull ? [] : (await changesAfter(db, before, upTo)).entries
    if (rows.length > 0) await this.#router?.prepare(rows)
    if (rows.length > 0) await this.#router?.committed(rows)
    for (const entry of inOrder(rows, entries)) {
      // The end of a page of one of the lists, or of what this database shows.
      if (entry.id !== this.#seen + 1) break
      const pause = this.#pass(entry)
      if (pause !== undefined) await pause
    }
    if (this.#seen === before) throw new Error(`the database does not show number ${before + 1} of the log`)
  }

  #pass(entry: MessageRow | NumberedEntry): Promise<void> | undefined {
    const { id } = entry
    if ('topic' in entry) return this.#tellAndSee(entry)
    const message = this.#own.get(id) ?? this.#router?.find(entry)
    return message instanceof Promise ? this.#passFound(id, message) : this.#passOn(id, message)
  }

  async #tellAndSee(entry: NumberedEntry) {
    await this.tell(entry)
    this.#see(entry.id)
  }

  async #passFound(id: number, message: Promise<Routed | undefined>) {
    await this.#passOn(id, await message)
  }

  #passOn(id: number, message: Routed | undefined): Promise<void> | undefined {
    if (message !== undefined) return this.#pushAndPause(id, message)
    this.#see(id)
    return undefined
  }

  #pushAndPause(id: number, message: Routed): Promise<void> | undefined {
    this.#push(id, message)
    return this.#router?.pause()
  }

  #push(id: number, message: Routed) {
    this.#own.delete(id)
    // Before: a delivery that reads the database from now on finds the message there.
    this.#see(id)
    this.#router?.push(message)
  }

  #see(id: number) {
    this.#seen = id
    if (this.#awaited.length > 0) this.#endWaits(id)
    this.#endTurn()
  }

  /** Tells the others once for the messages of a commit, and before this server encrypts anything for its sessions. */
  #hasCommitted(id: number) {
    this.#committed = Math.max(this.#committed, id)
    if (this.#isSaying || this.#committed <= this.#said) return
    this.#isSaying = true
    queueMicrotask(() => {
      this.#isSaying = false
      this.#said = this.#committed
      this.#parts.say(this.#said)
    })
  }

  /** Once in a turn of the event loop. */
  #endTurn() {
    if (this.#isTurnOpen) return
    this.#isTurnOpen = true
    setImmediate(() => {
      this.#isTurnOpen = false
      this.#checkedUpTo = this.#seen
    })
  }
}

/** Both lists ascend. */
function* inOrder(rows: readonly MessageRow[], entries: readonly NumberedEntry[]) {
  let next = 0
  for (const row of rows) {
    for (let entry = entries[next]; entry !== undefined && entry.id < row.id; entry = entries[++next]) yield entry
    yield row
  }
  yield* entries.slice(next)
}

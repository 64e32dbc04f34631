import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
import { type NumberedEntry, raiseHead } from './log.ts'
import type { NewMessageRow, StoredRow } from './message-columns.ts'
import {
  addFound,
  type Committed,
  InDoubt,
  type MessageStore,
  type Outcome,
  type Outcomes,
  type Read,
  type Stored,
} from './message-store.ts'
import { PRIVATE } from './messages.ts'
import { endpointsOf } from './mysql.ts'
import { changesOf, stepCommit, stepsOf } from './mysql-commit.ts'
import { MysqlPositions } from './mysql-positions.ts'
import { checkedFrom, isOutdated, Outdated } from './outdated.ts'
import { backfillReadMarks } from './read-marks.ts'
import {
  backOff,
  isDuplicate,
  isPrimaryDuplicate,
  isTimeout,
  isTransient,
  isUnavailable,
  MAX_ATTEMPTS,
  retry,
} from './transaction.ts'
import { type Run, WriterConnection } from './writer-connection.ts'

/** Pairs of reader and writer whose row in `correspondence` is known to exist. */
const CACHED_PAIRS = 100_000

/**
 * Messages in MySQL or MariaDB: one INSERT for all rows of a commit. After any error the rows are
 * looked up by sender and client id before the next attempt, because they may be stored whichever statement failed.
 * So only a taken client id is a repeat of its sender's message, and a taken number is not.
 * Missing rows are stored again; a row that the database rejects fails alone.
 */
export class MysqlMessages implements MessageStore {
  readonly batch = 1000
  readonly commitThreshold = 1000
  /** None: the event loop goes on during a commit, and what comes meanwhile shares the next one. */
  readonly readPause = 0
  readonly #db: Knex
  readonly #connection: WriterConnection
  readonly #pairs = new LRUCache<string, true>({ max: CACHED_PAIRS })
  readonly #positions = new MysqlPositions()
  readonly #commit = stepCommit()
  /** The last id that this writer has given. */
  #newest = 0

  constructor(db: Knex) {
    this.#db = db
    this.#connection = new WriterConnection(db)
  }

  mark(): Promise<boolean> {
    return backfillReadMarks(this.#db)
  }

  async commit(messages: readonly NewMessageRow[], reads: readonly Read[], horizon: number): Promise<Committed> {
    const outcomes: Outcomes = new Map()
    await this.#settle(messages, outcomes, horizon)
    const stored = messages.map((row) => outcomes.get(row) as Outcome<Stored>)
    const down = stored.map(failureOf).find((error) => error instanceof InDoubt || isUnavailable(error))
    if (down !== undefined && stored.every((outcome) => failureOf(outcome) === down) && !(down instanceof InDoubt))
      throw down
    // Not awaited: messages need not wait for read positions.
    return {
      messages: stored,
      reads: down === undefined ? this.#move(reads) : reads.map(() => ({ error: causeOf(down) })),
    }
  }

  find(messages: readonly NewMessageRow[]): Promise<(StoredRow | undefined)[]> {
    return retry(() =>
      this.#connection.use(async (run) => {
        await this.#connection.ended(run)
        return lookUp(run, messages)
      }),
    )
  }

  /** Stores rows until each has an outcome, which may be InDoubt. */
  async #settle(rows: readonly NewMessageRow[], outcomes: Outcomes, horizon: number): Promise<void> {
    if (rows.length === 0) return
    let open = rows
    let checkedFrom = 0
    for (let tries = 1; ; tries++) {
      const { error, asked, changes } = await this.#attempt(open, outcomes, checkedFrom)
      if (changes !== undefined) {
        open = refuseOutdated(open, changes, outcomes)
        if (open.length === 0) return
        // The others were not concerned.
        checkedFrom = Math.max(...changes.map(({ id }) => id))
        continue
      }
      if (error === undefined) return
      // No statement has reached the database.
      if (!asked && isUnavailable(error) && (!isTransient(error) || tries === MAX_ATTEMPTS))
        return fail(open, outcomes, error)
      if (asked) {
        try {
          // A timeout: the senders have waited long enough for `unavailable`.
          if (isTimeout(error)) throw error
          addFound(outcomes, open, await this.find(open), horizon)
          // Rows were written without the head of the log, by another program: no number is taken twice.
          if (isPrimaryDuplicate(error)) await raiseHead(this.#db)
        } catch (unknown) {
          return fail(open, outcomes, new InDoubt(unknown))
        }
      }
      const left = open.filter((row) => !outcomes.has(row))
      const isRepeat = isDuplicate(error) && left.length < open.length
      open = left
      if (open.length === 0) return
      if (isRepeat) tries--
      else if (isPrimaryDuplicate(error) && tries < MAX_ATTEMPTS) continue
      else if (isUnavailable(error)) {
        if (!isTransient(error) || tries >= MAX_ATTEMPTS) return fail(open, outcomes, error)
        await backOff(tries)
      } else if (open.length === 1) return fail(open, outcomes, error)
      else {
        for (const row of open) await this.#settle([row], outcomes, horizon)
        return
      }
    }
  }

  /**
   * Stores all rows or none. `asked`: a statement was sent, so that after an error they may be stored. `changes`: nothing was
   * stored because of these, which may concern some of the rows.
   */
  async #attempt(
    rows: readonly NewMessageRow[],
    outcomes: Outcomes,
    checkedFrom: number,
  ): Promise<{ error?: unknown; asked: boolean; changes?: readonly NumberedEntry[] | undefined }> {
    let asked = false
    try {
      const changes = await this.#connection.use(async (run) => {
        asked = true
        const stored = await this.#storeAll(run, rows, checkedFrom)
        if ('changes' in stored) return stored.changes
        for (const [index, row] of rows.entries()) outcomes.set(row, { done: stored[index] as Stored })
        this.#newest = stored.at(-1)?.id ?? 0
        return undefined
      })
      return { asked, changes }
    } catch (error) {
      return { error, asked }
    }
  }

  /** Never throws: the messages are stored by now, and must not be reported as refused. */
  async #move(reads: readonly Read[]): Promise<Outcome<boolean>[]> {
    if (reads.length === 0) return []
    try {
      const moved = await retry(() => this.#connection.use((run) => this.#positions.advance(run, reads, this.#newest)))
      return moved.map((done) => ({ done }))
    } catch (error) {
      return reads.map(() => ({ error }))
    }
  }

  /** @param inspected number of the log up to which changes are known not to concern these messages */
  async #storeAll(
    run: Run,
    messages: readonly NewMessageRow[],
    inspected: number,
  ): Promise<Stored[] | { changes: readonly NumberedEntry[] }> {
    const pairs = this.#newPairs(messages)
    const checked = checkedFrom(messages)
    const from = checked && Math.max(checked, inspected)
    const first = await this.#commit(run, stepsOf(messages, pairs, from))
    if (first === undefined) {
      const { sql, values } = changesOf(messages, from ?? 0)
      return { changes: await run<NumberedEntry[]>(sql, values) }
    }
    endpointsOf(this.#db)?.saw(first + messages.length - 1)
    // After the commit: an entry of a rolled back transaction would stay wrong.
    for (const pair of pairs.keys()) this.#pairs.set(pair, true)
    return messages.map((row, index) => ({ id: first + index, row, repeat: false }))
  }

  #newPairs(messages: readonly NewMessageRow[]): Map<string, readonly [number, number]> {
    const pairs = new Map<string, readonly [number, number]>()
    for (const { msg_type, target_id, user_id } of messages) {
      const pair = `${target_id} ${user_id}`
      if (PRIVATE.includes(msg_type) && !this.#pairs.has(pair)) pairs.set(pair, [target_id, user_id])
    }
    return pairs
  }
}

const failureOf = (outcome: Outcome<unknown>) => ('error' in outcome ? outcome.error : undefined)
const causeOf = (error: unknown) => (error instanceof InDoubt ? error.cause : error)

/** Refuses the rows that one of the changes concerns, and returns the others. */
function refuseOutdated(
  rows: readonly NewMessageRow[],
  changes: readonly NumberedEntry[],
  outcomes: Outcomes,
): readonly NewMessageRow[] {
  const isConcerned = (row: NewMessageRow) => changes.some((entry) => isOutdated(row, entry))
  for (const row of rows) if (isConcerned(row)) outcomes.set(row, { error: new Outdated() })
  return rows.filter((row) => !outcomes.has(row))
}

function fail(rows: readonly NewMessageRow[], outcomes: Outcomes, error: unknown) {
  for (const row of rows) outcomes.set(row, { error })
}

/** The stored rows with these senders and client ids, in the same order. */
async function lookUp(run: Run, wanted: readonly NewMessageRow[]): Promise<(StoredRow | undefined)[]> {
  // Two lists: MariaDB uses no index range for a list of pairs.
  const rows = await run<StoredRow[]>('select * from chatmsg where client_id in (?) and user_id in (?)', [
    wanted.map(({ client_id }) => client_id),
    [...new Set(wanted.map(({ user_id }) => user_id))],
  ])
  const found = new Map(rows.map((row) => [keyOf(row), row]))
  return wanted.map((row) => found.get(keyOf(row)))
}

const keyOf = ({ user_id, client_id }: Pick<NewMessageRow, 'user_id' | 'client_id'>) => `${user_id} ${client_id}`

import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
import { INSERT_COLUMNS, insertValues, type MessageRow, type NewMessageRow } from './message-columns.ts'
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
import { MSG_TYPE, PRIVATE, placementOf } from './messages.ts'
import { MysqlPositions } from './mysql-positions.ts'
import { backfillReadMarks } from './read-marks.ts'
import { backOff, isDuplicate, isTimeout, isTransient, isUnavailable, MAX_ATTEMPTS, retry } from './transaction.ts'
import { isServerError, type Run, WriterConnection } from './writer-connection.ts'

/** Pairs of reader and writer whose row in `correspondence` is known to exist. */
const CACHED_PAIRS = 100_000

/**
 * Messages in MySQL or MariaDB: one INSERT for all rows of a commit. After any error the rows are
 * looked up by sender and client id before the next attempt, because they may be stored whichever statement failed.
 * Missing rows are stored again; a row that the database rejects fails alone.
 */
export class MysqlMessages implements MessageStore {
  readonly batch = 1000
  readonly commitThreshold = 1000
  readonly #db: Knex
  readonly #connection: WriterConnection
  readonly #pairs = new LRUCache<string, true>({ max: CACHED_PAIRS })
  readonly #positions = new MysqlPositions()
  /** Known from the first commit on. */
  #isMariaDb: boolean | undefined

  constructor(db: Knex) {
    this.#db = db
    this.#connection = new WriterConnection(db)
  }

  mark(): Promise<boolean> {
    return backfillReadMarks(this.#db)
  }

  async commit(messages: readonly NewMessageRow[], reads: readonly Read[], horizon: number): Promise<Committed> {
    const outcomes: Outcomes = new Map()
    let positions: Outcome<boolean>[] | undefined
    await this.#settle(messages, outcomes, horizon, async (run, stored) => {
      positions = await this.#move(run, reads, stored)
    })
    const stored = messages.map((row) => outcomes.get(row) as Outcome<Stored>)
    const down = stored.map(failureOf).find((error) => error instanceof InDoubt || isUnavailable(error))
    positions ??= down === undefined ? await this.#moveAgain(reads) : reads.map(() => ({ error: causeOf(down) }))
    if (down !== undefined && stored.every((outcome) => failureOf(outcome) === down) && !(down instanceof InDoubt))
      throw down
    return { messages: stored, reads: positions }
  }

  find(messages: readonly NewMessageRow[]): Promise<(MessageRow | undefined)[]> {
    return retry(() =>
      this.#connection.use(async (run) => {
        await this.#connection.ended(run)
        return lookUp(run, messages)
      }),
    )
  }

  /**
   * Stores rows until each has an outcome, which may be InDoubt.
   * @param afterwards runs on the same connection once the first attempt has stored all rows
   */
  async #settle(
    rows: readonly NewMessageRow[],
    outcomes: Outcomes,
    horizon: number,
    afterwards?: (run: Run, horizon: number) => Promise<void>,
  ): Promise<void> {
    let open = rows
    for (let tries = 1; ; tries++) {
      const { error, asked } = await this.#attempt(open, outcomes, afterwards)
      if (error === undefined) return
      // No statement has reached the database.
      if (!asked && isUnavailable(error) && (!isTransient(error) || tries === MAX_ATTEMPTS))
        return fail(open, outcomes, error)
      if (asked) {
        try {
          // A timeout: the senders have waited long enough for `unavailable`.
          if (isTimeout(error)) throw error
          addFound(outcomes, open, await this.find(open), horizon)
        } catch (unknown) {
          return fail(open, outcomes, new InDoubt(unknown))
        }
      }
      const left = open.filter((row) => !outcomes.has(row))
      const isRepeat = isDuplicate(error) && left.length < open.length
      open = left
      if (open.length === 0) return
      if (isRepeat) tries--
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

  /** Stores all rows or none. `asked`: a statement was sent, so that after an error they may be stored. */
  async #attempt(
    rows: readonly NewMessageRow[],
    outcomes: Outcomes,
    afterwards: ((run: Run, horizon: number) => Promise<void>) | undefined,
  ): Promise<{ error?: unknown; asked: boolean }> {
    let asked = false
    try {
      await this.#connection.use(async (run) => {
        asked = rows.length > 0
        const stored = asked ? await this.#storeAll(run, rows) : []
        for (const [index, row] of rows.entries()) outcomes.set(row, { done: stored[index] as Stored })
        await afterwards?.(run, stored.at(-1)?.id ?? 0)
      })
      return { asked }
    } catch (error) {
      return { error, asked }
    }
  }

  /** Never throws: the messages are stored by now, and must not be reported as refused. */
  async #move(run: Run, reads: readonly Read[], horizon: number): Promise<Outcome<boolean>[] | undefined> {
    try {
      return (await this.#positions.advance(run, reads, horizon)).map((done) => ({ done }))
    } catch (error) {
      if (isTransient(error)) return undefined
      return reads.map(() => ({ error }))
    }
  }

  async #moveAgain(reads: readonly Read[]): Promise<Outcome<boolean>[]> {
    if (reads.length === 0) return []
    try {
      const moved = await retry(() => this.#connection.use((run) => this.#positions.advance(run, reads, 0)))
      return moved.map((done) => ({ done }))
    } catch (error) {
      return reads.map(() => ({ error }))
    }
  }

  async #storeAll(run: Run, messages: readonly NewMessageRow[]): Promise<Stored[]> {
    const pairs = this.#newPairs(messages)
    const first = await this.#commitSteps(run, [
      ...(pairs.size > 0 ? [insertPairs(pairs)] : []),
      ...takeSequences(messages),
      // The row `head` is the last lock: it is held only for the INSERT and the commit.
      ...takeNumbers(messages.length),
      insert(messages),
    ])
    // After the commit: an entry of a rolled back transaction would stay wrong.
    for (const pair of pairs.keys()) this.#pairs.set(pair, true)
    return messages.map((row, index) => ({ id: first + index, row, repeat: false }))
  }

  /**
   * Commits all steps or none, and returns the first number. MariaDB takes them in one packet, a compound statement: a
   * lock is not held while the client computes. MySQL has none outside of routines: there each step is a round trip.
   */
  async #commitSteps(run: Run, steps: readonly Step[]): Promise<number> {
    this.#isMariaDb ??= await isMariaDb(run)
    try {
      return this.#isMariaDb ? await commitAtOnce(run, steps) : await commitOneByOne(run, steps)
    } catch (error) {
      // Also after a compound statement: it does not roll back when it is killed. A lost connection is closed by its owner.
      if (isServerError(error)) await undo(run)
      throw error
    }
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

function fail(rows: readonly NewMessageRow[], outcomes: Outcomes, error: unknown) {
  for (const row of rows) outcomes.set(row, { error })
}

/** The stored rows with these senders and client ids, in the same order. */
async function lookUp(run: Run, wanted: readonly NewMessageRow[]): Promise<(MessageRow | undefined)[]> {
  // Two lists: MariaDB uses no index range for a list of pairs.
  const rows = await run<MessageRow[]>('select * from chatmsg where client_id in (?) and user_id in (?)', [
    wanted.map(({ client_id }) => client_id),
    [...new Set(wanted.map(({ user_id }) => user_id))],
  ])
  const found = new Map(rows.map((row) => [keyOf(row), row]))
  return wanted.map((row) => found.get(keyOf(row)))
}

const keyOf = ({ user_id, client_id }: Pick<NewMessageRow, 'user_id' | 'client_id'>) => `${user_id} ${client_id}`

/** One statement of a commit. */
interface Step {
  readonly sql: string
  readonly values: readonly unknown[]
}

const step = (sql: string, ...values: readonly unknown[]): Step => ({ sql, values })

const insertPairs = (pairs: ReadonlyMap<string, readonly [number, number]>): Step =>
  step('insert into correspondence (reader_id, writer_id) values ? on duplicate key update read_id = read_id', [
    ...pairs.values(),
  ])

/** Takes places in the sequences of the groups, the first of each in a variable; locks their rows in the order of ids. */
function takeSequences(messages: readonly NewMessageRow[]): Step[] {
  const counts = new Map<number, number>()
  for (const { msg_type, target_id } of messages)
    if (msg_type === MSG_TYPE.group) counts.set(target_id, (counts.get(target_id) ?? 0) + 1)
  return [...counts]
    .sort(([one], [other]) => one - other)
    .flatMap(([id, count]) => [
      step('update chatroom set last_seq = last_seq + ? where id = ?', count, id),
      step(`set ${sequenceOf(id)} = (select last_seq from chatroom where id = ?) - ?`, id, count),
    ])
}

/** The variable with the last place in a group's sequence before this commit. */
const sequenceOf = (groupId: number) => `@seq_${Number(groupId)}`

/** Takes numbers of the log; the last one before this commit is in @head. */
const takeNumbers = (count: number): Step[] => [
  step('update head set last = last + ? where id = 1', count),
  step('set @head = (select last from head where id = 1) - ?', count),
]

/** The INSERT of all rows. Numbers and places are expressions of the variables, so that no round trip is needed for them. */
function insert(messages: readonly NewMessageRow[]): Step {
  const places = new Map<number, number>()
  const values: unknown[] = []
  const rows = messages.map((row, index) => {
    const [, ...columns] = insertValues(0, row, placementOf(row, null))
    values.push(...columns)
    const place = row.msg_type === MSG_TYPE.group ? (places.get(row.target_id) ?? 0) + 1 : undefined
    if (place !== undefined) places.set(row.target_id, place)
    const seq = place === undefined ? '?' : `coalesce(?, ${sequenceOf(row.target_id)} + ${place})`
    return `(@head + ${index + 1}, ${VALUES_BEFORE_SEQ}, ${seq}, ${VALUES_AFTER_SEQ})`
  })
  return step(`insert into chatmsg (${INSERT_COLUMNS.join(', ')}) values ${rows.join(', ')}`, ...values)
}

const placeholders = (columns: readonly string[]) => columns.map(() => '?').join(', ')
const SEQ = INSERT_COLUMNS.indexOf('seq')
const VALUES_BEFORE_SEQ = placeholders(INSERT_COLUMNS.slice(1, SEQ))
const VALUES_AFTER_SEQ = placeholders(INSERT_COLUMNS.slice(SEQ + 1))

const FIRST = 'select @head + 1 as first'

async function isMariaDb(run: Run): Promise<boolean> {
  const [row] = await run<{ version: string }[]>('select version() as version')
  return /mariadb/i.test(String(row?.version))
}

async function commitAtOnce(run: Run, steps: readonly Step[]): Promise<number> {
  const [rows] = await run<[{ first: number }[]]>(
    `begin not atomic
       declare exit handler for sqlexception begin rollback; resignal; end;
       start transaction;
       ${steps.map(({ sql }) => `${sql};`).join('\n')}
       commit;
       ${FIRST};
     end`,
    steps.flatMap(({ values }) => values),
  )
  return Number(rows[0]?.first)
}

async function commitOneByOne(run: Run, steps: readonly Step[]): Promise<number> {
  await run('start transaction')
  for (const { sql, values } of steps) await run(sql, values)
  const [row] = await run<{ first: number }[]>(FIRST)
  await run('commit')
  return Number(row?.first)
}

/** Needed after a lock wait timeout as well, which rolls back one statement and leaves the transaction open. */
async function undo(run: Run) {
  try {
    await run('rollback')
  } catch {
    // The first error is reported. The connection may still be in the transaction and must not be used again.
    run.destroy()
  }
}

import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
import type { NumberedEntry } from './log.ts'
import { hasExtra, INSERT_COLUMNS, insertValues, type NewMessageRow, type StoredRow } from './message-columns.ts'
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
import { GROUP_LANE, MSG_TYPE, placementOf } from './messages.ts'
import { checkedFrom, DECIDING, isOutdated, Outdated } from './outdated.ts'
import { type Entry, placeOf } from './places.ts'
import { backfillReadMarks } from './read-marks.ts'
import type { Database, RunResult, Statement } from './sqlite-driver.ts'
import { isUnavailable } from './transaction.ts'

/** Messages in a transaction at most: each delays the event loop by about 10 µs. */
const MAX_BATCH = 4000
/** Lower bound of the commit threshold, however fast the disk is. */
const MIN_COMMIT_THRESHOLD = 1000
/** Messages per millisecond of a flush: makes the flush a small part of the work. */
const ROWS_PER_FLUSH_MS = 400

/** A commit blocks the event loop: those of read positions alone take a quarter of its time at most. */
const READ_PAUSE = 3

/** Readers whose rows in `correspondence` are cached. */
const CACHED_READERS = 20_000

/**
 * Messages in SQLite, in the thread of the event loop: passing them to another thread costs more than storing them.
 * Statements are prepared once. The connection is the only one of its pool, so no other work gets into a transaction.
 */
export class SqliteMessages implements MessageStore {
  readonly batch = MAX_BATCH
  commitThreshold = MIN_COMMIT_THRESHOLD
  readonly readPause = READ_PAUSE
  readonly #db: Knex
  /** Writers with a row in `correspondence`, by reader. */
  readonly #writers = new LRUCache<number, Set<number>>({ maxSize: CACHED_READERS, sizeCalculation: () => 1 })
  #statements: Statements | undefined

  constructor(db: Knex) {
    this.#db = db
  }

  mark(): Promise<boolean> {
    return backfillReadMarks(this.#db)
  }

  commit(messages: readonly NewMessageRow[], reads: readonly Read[], horizon: number): Promise<Committed> {
    return this.#withStatements((statements) => {
      statements.begin.run()
      try {
        return this.#commit(statements, messages, reads)
      } catch (error) {
        return afterFailure(statements, { messages, reads, horizon, error })
      }
    })
  }

  find(messages: readonly NewMessageRow[]): Promise<(StoredRow | undefined)[]> {
    return this.#withStatements((statements) => messages.map((row) => findStored(statements, row)))
  }

  async #withStatements<T>(work: (statements: Statements) => T): Promise<T> {
    const connection: Database = await this.#db.client.acquireConnection()
    try {
      if (this.#statements?.database !== connection) this.#statements = prepare(connection)
      return work(this.#statements)
    } finally {
      await this.#db.client.releaseConnection(connection)
    }
  }

  #commit(statements: Statements, messages: readonly NewMessageRow[], reads: readonly Read[]): Committed {
    const numbers: Numbers = { last: statements.findHead.get() as number, sequences: new Map() }
    const { last: before } = numbers
    const pairs: NewMessageRow[] = []
    const changes = changesSince(statements, checkedFrom(messages))
    const committed = {
      messages: messages.map((row) =>
        changes.some((entry) => isOutdated(row, entry))
          ? { error: new Outdated() }
          : this.#insert(statements, row, numbers, pairs),
      ),
      reads: reads.map((read) => ({ done: markRead(statements, read) })),
    }
    for (const [id, last] of numbers.sequences) statements.setSequence.run(last, id)
    if (numbers.last > before) statements.setHead.run(numbers.last)
    const began = performance.now()
    statements.commit.run()
    const flushMs = performance.now() - began
    this.commitThreshold = Math.min(MAX_BATCH, Math.max(MIN_COMMIT_THRESHOLD, flushMs * ROWS_PER_FLUSH_MS))
    // After the commit: an entry of a rolled back transaction would stay wrong.
    for (const { target_id, user_id } of pairs) this.#writersTo(target_id).add(user_id)
    return committed
  }

  #insert(statements: Statements, row: NewMessageRow, numbers: Numbers, pairs: NewMessageRow[]): Outcome<Stored> {
    const { last, sequences } = numbers
    const { user_id, target_id } = row
    const isGroup = row.msg_type === MSG_TYPE.group
    // These and the number advance only for new messages, so that they have no gaps.
    const seq = isGroup ? (sequences.get(target_id) ?? Number(statements.findSequence.get(target_id) ?? 0)) + 1 : null
    let inserted: RunResult
    try {
      inserted = statements.insert.run(insertValues(last + 1, row, placementOf(row, seq)))
    } catch (error) {
      // A rejected row fails alone, unless the database itself is at fault.
      if (!statements.database.inTransaction || isUnavailable(error)) throw error
      return { error }
    }
    // From here on an error must roll back the whole transaction: the row is in it.
    if (inserted.changes === 0) {
      const earlier = findStored(statements, row) as StoredRow
      return { done: { id: earlier.id, row: earlier, repeat: true } }
    }
    numbers.last++
    if (hasExtra(row)) statements.insertExtra.run(numbers.last, row.reply_to, row.file.id)
    if (seq !== null) sequences.set(target_id, seq)
    else if (!this.#writersTo(target_id).has(user_id)) {
      statements.insertPair.run(target_id, user_id)
      pairs.push(row)
    }
    return { done: { id: numbers.last, row, repeat: false } }
  }

  #writersTo(readerId: number): Set<number> {
    let writers = this.#writers.get(readerId)
    if (writers === undefined) {
      writers = new Set()
      this.#writers.set(readerId, writers)
    }
    return writers
  }
}

/** Numbers that a commit has taken so far: the last of the log, and the last of each group. */
interface Numbers {
  last: number
  readonly sequences: Map<number, number>
}

/** Changes above a number; none without one. */
const changesSince = ({ findChanges }: Statements, from: number | undefined) =>
  from === undefined ? [] : (findChanges.all(from) as NumberedEntry[])

const findStored = (statements: Statements, { user_id, client_id }: NewMessageRow) =>
  statements.findStored.get(user_id, client_id) as StoredRow | undefined

/**
 * After an error anywhere in a transaction: rolls back, unless the rows show that it was committed before the error.
 * @throws the error if nothing was stored
 */
function afterFailure(
  statements: Statements,
  failed: { messages: readonly NewMessageRow[]; reads: readonly Read[]; horizon: number; error: unknown },
): Committed {
  const { messages, reads, horizon, error } = failed
  try {
    // After a full disk SQLite has rolled back already.
    if (statements.database.inTransaction) {
      statements.rollback.run()
      throw error
    }
    const found = messages.map((row) => findStored(statements, row))
    const outcomes: Outcomes = new Map()
    addFound(outcomes, messages, found, horizon)
    if (![...outcomes.values()].some((outcome) => 'done' in outcome && !outcome.done.repeat)) throw error
    return {
      messages: messages.map((row) => outcomes.get(row) ?? { error }),
      reads: reads.map(() => ({ error })),
    }
  } catch (unknown) {
    if (unknown === error) throw error
    // Neither rolled back nor looked up. An open transaction is rolled back when the connection is released.
    return { messages: messages.map(() => ({ error: new InDoubt(error) })), reads: reads.map(() => ({ error })) }
  }
}

function markRead(statements: Statements, { readerId, fromId, isGroup, upTo }: Read): boolean {
  const { newest, readPair, exactSequence, readGroup } = statements
  if (isGroup) {
    const seq = exactSequence.get(upTo, fromId, GROUP_LANE) ?? sequenceUpTo(statements, fromId, upTo)
    return seq !== undefined && readGroup.run(seq, fromId, readerId, seq).changes > 0
  }
  // Not beyond the newest message: later ones were not read.
  const id = newest.get(readerId, fromId, upTo)
  return id !== undefined && readPair.run(id, readerId, fromId, id).changes > 0
}

/** For an id that is no message of the group. */
function sequenceUpTo(
  { findSequence, firstFrom }: Pick<Statements, 'findSequence' | 'firstFrom'>,
  groupId: number,
  id: number,
): number | undefined {
  const last = Number(findSequence.get(groupId) ?? 0)
  return placeOf(id, (seq) => firstFrom.get(groupId, GROUP_LANE, seq) as Entry | undefined, last)
}

type Statements = ReturnType<typeof prepare>

function prepare(database: Database) {
  const sql = (text: string): Statement => database.prepare(text)
  return {
    database,
    begin: sql('begin immediate'),
    commit: sql('commit'),
    rollback: sql('rollback'),
    insert: sql(
      `insert into chatmsg (${INSERT_COLUMNS.join(', ')}) values (${INSERT_COLUMNS.map(() => '?').join(', ')})
       on conflict (client_id, user_id) do nothing`,
    ),
    insertExtra: sql('insert into message_extra (message_id, reply_to, file_id) values (?, ?, ?)'),
    findStored: sql('select * from chatmsg where user_id = ? and client_id = ?'),
    insertPair: sql('insert into correspondence (reader_id, writer_id) values (?, ?) on conflict do nothing'),
    newest: sql(
      'select id from chatmsg where target_id = ? and lane = ? and seq is null and id <= ? order by id desc limit 1',
    ).pluck(),
    readPair: sql('update correspondence set read_id = ? where reader_id = ? and writer_id = ? and read_id < ?'),
    findChanges: sql(
      `select * from change_log where id > ? and topic in (${DECIDING.map((topic) => `'${topic}'`).join(', ')})`,
    ),
    findHead: sql('select last from head where id = 1').pluck(),
    setHead: sql('update head set last = ? where id = 1'),
    findSequence: sql('select last_seq from chatroom where id = ?').pluck(),
    setSequence: sql('update chatroom set last_seq = ? where id = ?'),
    exactSequence: sql('select seq from chatmsg where id = ? and target_id = ? and lane = ?').pluck(),
    firstFrom: sql('select id, seq from chatmsg where target_id = ? and lane = ? and seq >= ? order by seq limit 1'),
    readGroup: sql('update chatroom_user set read_seq = ? where chatroom_id = ? and user_id = ? and read_seq < ?'),
  }
}

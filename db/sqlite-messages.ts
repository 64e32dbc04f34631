import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
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
import { laneOf, type MessageRow, MSG_TYPE, type NewMessageRow } from './messages.ts'
import { backfillReadMarks } from './read-marks.ts'
import type { Database, RunResult, Statement } from './sqlite-driver.ts'
import { isUnavailable } from './transaction.ts'

/** Messages in a transaction at most: others wait for about 10 µs each. */
const MOST = 4000
/** Below this a transaction is not begun before its time, however fast the disk is. */
const FEWEST = 1000
/** Messages for each millisecond that a flush takes, so that it is a small part of the work. */
const PER_MS = 400

/** Readers for whom it is known who has written to them. */
const READERS_KNOWN = 20_000

/**
 * Messages in SQLite, in the event loop's own thread: handing them to another one would cost more than storing them
 * does. Statements are prepared once; the connection is the pool's only one, so nothing of ours gets into a transaction
 * of somebody else.
 */
export class SqliteMessages implements MessageStore {
  readonly batch = MOST
  worthwhile = FEWEST
  readonly #db: Knex
  /** Who is known to have a row in `correspondence`, by reader. */
  readonly #writers = new LRUCache<number, Set<number>>({ maxSize: READERS_KNOWN, sizeCalculation: () => 1 })
  #statements: Statements | undefined

  constructor(db: Knex) {
    this.#db = db
  }

  mark(): Promise<boolean> {
    return backfillReadMarks(this.#db)
  }

  commit(messages: readonly NewMessageRow[], reads: readonly Read[], newest: number): Promise<Committed> {
    return this.#withStatements((statements) => {
      statements.begin.run()
      try {
        return this.#commit(statements, messages, reads)
      } catch (error) {
        return afterFailure(statements, { messages, reads, newest, error })
      }
    })
  }

  find(messages: readonly NewMessageRow[]): Promise<(MessageRow | undefined)[]> {
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
    const sequences = new Map<number, number>()
    const pairs: NewMessageRow[] = []
    const committed = {
      messages: messages.map((row) => this.#insert(statements, row, sequences, pairs)),
      reads: reads.map((read) => ({ done: markRead(statements, read) })),
    }
    for (const [id, last] of sequences) statements.setSequence.run(last, id)
    const began = performance.now()
    statements.commit.run()
    this.worthwhile = Math.min(MOST, Math.max(FEWEST, (performance.now() - began) * PER_MS))
    // Only now: an entry of a transaction that was undone would be wrong for ever.
    for (const { target_id, user_id } of pairs) this.#writersTo(target_id).add(user_id)
    return committed
  }

  #insert(
    statements: Statements,
    row: NewMessageRow,
    sequences: Map<number, number>,
    pairs: NewMessageRow[],
  ): Outcome<Stored> {
    const { user_id, target_id, msg_type, client_id } = row
    const isGroup = msg_type === MSG_TYPE.group
    // Advanced only for what is new, so that the sequence has no gaps.
    const seq = isGroup ? (sequences.get(target_id) ?? Number(statements.findSequence.get(target_id) ?? 0)) + 1 : null
    const lane = laneOf(row)
    // Who has read a group message is in the members' positions.
    const isRead = isGroup ? 0 : 1
    let inserted: RunResult
    try {
      inserted = statements.insert.run(
        user_id,
        row.send_time,
        target_id,
        isRead,
        msg_type,
        row.msg,
        client_id,
        row.font,
        row.font_size,
        row.color,
        seq,
        lane,
        row.hops,
      )
    } catch (error) {
      // A row that does not fit fails alone: unless the database itself is at fault, the others are stored.
      if (!statements.database.inTransaction || isUnavailable(error)) throw error
      return { error }
    }
    // From here on an error undoes the whole transaction: this row would else be stored and reported as refused.
    if (inserted.changes === 0) return { done: { row: findStored(statements, row) as MessageRow, repeat: true } }
    if (seq !== null) sequences.set(target_id, seq)
    else if (!this.#writersTo(target_id).has(user_id)) {
      statements.insertPair.run(target_id, user_id)
      pairs.push(row)
    }
    const id = inserted.lastInsertRowid as number
    // Field by field: an object made by spreading is slow to read, and every message is read many times.
    const stored: MessageRow = {
      id,
      user_id,
      target_id,
      msg_type,
      msg: row.msg,
      client_id,
      send_time: row.send_time,
      font: row.font,
      font_size: row.font_size,
      color: row.color,
      isRead,
      isActive: 1,
      seq,
      lane,
      hops: row.hops,
    }
    return { done: { row: stored, repeat: false } }
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

const findStored = (statements: Statements, { user_id, client_id }: NewMessageRow) =>
  statements.findStored.get(user_id, client_id) as MessageRow | undefined

/**
 * After an error anywhere in a transaction: undone, unless it was committed before the error, which the rows tell.
 * @throws the error when nothing was stored
 */
function afterFailure(
  statements: Statements,
  failed: { messages: readonly NewMessageRow[]; reads: readonly Read[]; newest: number; error: unknown },
): Committed {
  const { messages, reads, newest, error } = failed
  try {
    // A full disk has undone the transaction already.
    if (statements.database.inTransaction) {
      statements.rollback.run()
      throw error
    }
    const found = messages.map((row) => findStored(statements, row))
    const outcomes: Outcomes = new Map()
    addFound(outcomes, messages, found, newest)
    if (![...outcomes.values()].some((outcome) => 'done' in outcome && !outcome.done.repeat)) throw error
    return {
      messages: messages.map((row) => outcomes.get(row) ?? { error }),
      reads: reads.map(() => ({ error })),
    }
  } catch (unknown) {
    if (unknown === error) throw error
    // Neither undone nor looked up. A transaction that is still open is undone when the connection is released.
    return { messages: messages.map(() => ({ error: new InDoubt(error) })), reads: reads.map(() => ({ error })) }
  }
}

function markRead({ newest, readPair, exactSequence, groupSequence, readGroup }: Statements, read: Read): boolean {
  const { readerId, fromId, isGroup, upTo } = read
  if (isGroup) {
    const seq = exactSequence.get(upTo, fromId, -MSG_TYPE.group) ?? groupSequence.get(fromId, -MSG_TYPE.group, upTo)
    return seq !== undefined && readGroup.run(seq, fromId, readerId, seq).changes > 0
  }
  // Never beyond what there is: what comes later was not read.
  const id = newest.get(readerId, fromId, upTo)
  return id !== undefined && readPair.run(id, readerId, fromId, id).changes > 0
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
      `insert into chatmsg (user_id, send_time, target_id, isRead, msg_type, msg, isActive, client_id, font, font_size,
         color, seq, lane, hops) values (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?) on conflict (client_id, user_id) do nothing`,
    ),
    findStored: sql('select * from chatmsg where user_id = ? and client_id = ?'),
    insertPair: sql('insert into correspondence (reader_id, writer_id) values (?, ?) on conflict do nothing'),
    newest: sql(
      'select id from chatmsg where target_id = ? and lane = ? and seq is null and id <= ? order by id desc limit 1',
    ).pluck(),
    readPair: sql('update correspondence set read_id = ? where reader_id = ? and writer_id = ? and read_id < ?'),
    findSequence: sql('select last_seq from chatroom where id = ?').pluck(),
    setSequence: sql('update chatroom set last_seq = ? where id = ?'),
    exactSequence: sql('select seq from chatmsg where id = ? and target_id = ? and lane = ?').pluck(),
    // For what is no message of the group: from the end of the index, since `max` would read all of it.
    groupSequence: sql(
      'select seq from chatmsg where target_id = ? and lane = ? and id <= ? order by seq desc limit 1',
    ).pluck(),
    readGroup: sql('update chatroom_user set read_seq = ? where chatroom_id = ? and user_id = ? and read_seq < ?'),
  }
}

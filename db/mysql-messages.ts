import type { Knex } from 'knex'
import { LRUCache } from 'lru-cache'
import type { Committed, MessageStore, Outcome, Read, Stored } from './message-store.ts'
import { laneOf, type MessageRow, MSG_TYPE, type NewMessageRow, PRIVATE } from './messages.ts'
import { type MysqlConnection, reservedConnection } from './mysql.ts'
import { MysqlPositions, type Run } from './mysql-positions.ts'
import { markSome } from './read-marks.ts'
import { isDuplicate, isLost, isUnavailable, retrying } from './transaction.ts'

/** Pairs of reader and writer that are known to have their row. */
const PAIRS_KNOWN = 100_000

const COLUMNS =
  'user_id, send_time, target_id, isRead, msg_type, msg, isActive, client_id, font, font_size, color, seq, lane, hops'

type Numbered = NewMessageRow & { readonly seq: number | null }

/**
 * Messages in MySQL or MariaDB: one statement for all rows of a commit. What is usual goes the short way, an INSERT that
 * commits itself; a repeat or a row that does not fit makes it fail, and then the long way is gone.
 */
export class MysqlMessages implements MessageStore {
  readonly batch = 1000
  readonly worthwhile = 1000
  readonly #db: Knex
  readonly #pairs = new LRUCache<string, true>({ max: PAIRS_KNOWN })
  readonly #positions = new MysqlPositions()

  constructor(db: Knex) {
    this.#db = db
  }

  mark(): Promise<boolean> {
    return markSome(this.#db)
  }

  commit(messages: readonly NewMessageRow[], reads: readonly Read[]): Promise<Committed> {
    /** What an earlier try has stored, however it ended. */
    const stored = new Map<NewMessageRow, Outcome<Stored>>()
    let tries = 0
    let answerLost = false
    return retrying(async () => {
      try {
        return await this.#commit(messages, reads, { stored, isAgain: tries++ > 0, answerLost })
      } catch (error) {
        answerLost ||= isLost(error)
        throw error
      }
    })
  }

  async #commit(
    messages: readonly NewMessageRow[],
    reads: readonly Read[],
    {
      stored,
      isAgain,
      answerLost,
    }: { stored: Map<NewMessageRow, Outcome<Stored>>; isAgain: boolean; answerLost: boolean },
  ): Promise<Committed> {
    const pool = reservedConnection(this.#db)
    const connection = await pool.acquireConnection()
    try {
      const run = runOn(connection, this.#db.client.statementTimeout)
      if (!isAgain) {
        try {
          return await this.#store(run, messages, reads)
        } catch (error) {
          if (isUnavailable(error)) throw error
          // A repeat, or a row that the database does not take: which one shows below.
        }
      }
      for (const row of messages) if (!stored.has(row)) stored.set(row, await this.#storeOne(run, row, answerLost))
      const { reads: read } = await this.#store(run, [], reads)
      return { messages: messages.map((row) => stored.get(row) as Outcome<Stored>), reads: read }
    } finally {
      await pool.releaseConnection(connection)
    }
  }

  /** @param answerLost a commit with this row may have been made: a row that is there may be that one */
  async #storeOne(run: Run, row: NewMessageRow, answerLost: boolean): Promise<Outcome<Stored>> {
    const earlier = async (): Promise<Outcome<Stored> | undefined> => {
      const [found] = await run<MessageRow[]>('select * from chatmsg where user_id = ? and client_id = ?', [
        row.user_id,
        row.client_id,
      ])
      if (found === undefined) return undefined
      const pairs = this.#newPairs([found])
      if (pairs.size > 0) await insertPairs(run, pairs)
      const isSame = found.target_id === row.target_id && found.msg_type === row.msg_type && found.msg === row.msg
      return { done: { row: found, repeat: !(answerLost && isSame) } }
    }
    try {
      const found = await earlier()
      if (found !== undefined) return found
      const { messages } = await this.#store(run, [row], [])
      return messages[0] as Outcome<Stored>
    } catch (error) {
      if (isUnavailable(error)) throw error
      return ((isDuplicate(error) && (await earlier())) || { error }) as Outcome<Stored>
    }
  }

  /** @throws also when one of the messages is a repeat: none is stored then */
  async #store(run: Run, messages: readonly NewMessageRow[], reads: readonly Read[]): Promise<Committed> {
    const stored = messages.length === 0 ? [] : await this.#storeAll(run, messages)
    const newest = stored.at(-1)?.row.id ?? 0
    return { messages: stored.map((done) => ({ done })), reads: await this.#move(run, reads, newest) }
  }

  async #storeAll(run: Run, messages: readonly NewMessageRow[]): Promise<Stored[]> {
    const pairs = this.#newPairs(messages)
    const groups = new Set(messages.filter(isGroupMessage).map(({ target_id }) => target_id))
    // One INSERT is a transaction of its own.
    const isAlone = groups.size === 0 && pairs.size === 0
    if (!isAlone) await run('start transaction')
    try {
      const rows = await numbered(run, messages, groups)
      const ids = await insert(run, rows)
      if (pairs.size > 0) await insertPairs(run, pairs)
      if (!isAlone) await run('commit')
      // Only now: an entry of a transaction that was undone would be wrong for ever.
      for (const pair of pairs.keys()) this.#pairs.set(pair, true)
      return rows.map((row, index) => ({
        row: { ...row, id: ids[index] as number, isRead: isReadOf(row), isActive: 1, lane: laneOf(row) },
        repeat: false,
      }))
    } catch (error) {
      if (!isAlone) await undo(run)
      throw error
    }
  }

  /** Apart from the messages, which are stored by now: what goes wrong here must not make them look as if they were not. */
  async #move(run: Run, reads: readonly Read[], newest: number): Promise<Outcome<boolean>[]> {
    try {
      return (await this.#positions.advance(run, reads, newest)).map((done) => ({ done }))
    } catch (error) {
      return reads.map(() => ({ error }))
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

const isGroupMessage = ({ msg_type }: NewMessageRow) => msg_type === MSG_TYPE.group
/** Who has read a group message is in the members' positions. */
const isReadOf = (row: NewMessageRow) => (isGroupMessage(row) ? 0 : 1)

const insertPairs = (run: Run, pairs: ReadonlyMap<string, readonly [number, number]>) =>
  run('insert into correspondence (reader_id, writer_id) values ? on duplicate key update read_id = read_id', [
    [...pairs.values()],
  ])

/** Gives group messages their place in the group's sequence, which is locked until the commit. */
async function numbered(run: Run, rows: readonly NewMessageRow[], groups: ReadonlySet<number>): Promise<Numbered[]> {
  const last = new Map<number, number>()
  for (const id of [...groups].sort((a, b) => a - b)) {
    const [group] = await run<{ last_seq: number }[]>('select last_seq from chatroom where id = ? for update', [id])
    last.set(id, Number(group?.last_seq ?? 0))
  }
  const result = rows.map((row) => {
    if (!isGroupMessage(row)) return { ...row, seq: null }
    const seq = (last.get(row.target_id) ?? 0) + 1
    last.set(row.target_id, seq)
    return { ...row, seq }
  })
  for (const [id, seq] of last) await run('update chatroom set last_seq = ? where id = ?', [seq, id])
  return result
}

/** Returns the new ids, in the order of the rows. */
async function insert(run: Run, rows: readonly Numbered[]): Promise<number[]> {
  if (rows.length === 0) return []
  const values = rows.map((row) => [
    row.user_id,
    row.send_time,
    row.target_id,
    isReadOf(row),
    row.msg_type,
    row.msg,
    1,
    row.client_id,
    row.font,
    row.font_size,
    row.color,
    row.seq,
    laneOf(row),
    row.hops,
  ])
  const { insertId } = await run<{ insertId: number }>(`insert into chatmsg (${COLUMNS}) values ?`, [values])
  if (rows.length === 1) return [insertId]
  // An INSERT of known length gets its numbers in one run, but how far apart they are is up to the server.
  const last = rows.at(-1) as Numbered
  const [end] = await run<{ id: number }[]>('select id from chatmsg where user_id = ? and client_id = ?', [
    last.user_id,
    last.client_id,
  ])
  const step = (Number(end?.id) - insertId) / (rows.length - 1)
  if (!Number.isInteger(step) || step < 1)
    throw new Error(`the numbers of ${rows.length} new messages are not in a run`)
  return rows.map((_, index) => insertId + index * step)
}

/** Also after a lock that was waited for in vain: that undoes the one statement, and leaves the transaction open. */
async function undo(run: Run) {
  try {
    await run('rollback')
  } catch {
    // The first error says more; what cannot be undone must not be left to the next one who gets the connection.
    run.destroy()
  }
}

function runOn(connection: MysqlConnection, timeout: number | undefined): Run {
  const run = <T>(sql: string, values?: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      connection.query({ sql, values, timeout }, (error, result) => {
        if (error === null) return resolve(result)
        // The answer may still come: nobody else must get it.
        if ((error as { code?: string }).code === 'PROTOCOL_SEQUENCE_TIMEOUT') connection.destroy()
        reject(error)
      })
    })
  return Object.assign(run, { destroy: () => connection.destroy() })
}

import { setImmediate as turn } from 'node:timers/promises'
import { createConnection, raw } from 'mysql2/promise'
import { Sqlite } from '../db/sqlite-driver.ts'

/** Insert rate of a database alone: an upper bound for any server on it. */
export interface StoreResult {
  readonly database: string
  /** Connections that insert at once, if there is more than one way. */
  readonly writers?: number
  readonly rowsATransaction: number
  readonly rowsPerSecond: number
}

export interface StoreOptions {
  readonly rows: number
  /** Bytes of text in a row. */
  readonly size: number
  readonly seconds: number
  /** Called with the completed share, 0 to 1. */
  readonly onProgress: (share: number) => void
  readonly signal: AbortSignal
}

/** SQLite in this process: a write-ahead log flushed at each commit, one table with one index. */
export async function sqliteAlone(file: string, options: StoreOptions): Promise<StoreResult> {
  const db = new Sqlite(file)
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.exec(`${TABLE('integer primary key')}; ${INDEX}`)
    const insert = db.prepare('insert into message (sender, target, sent_at, text) values (?, ?, ?, ?)')
    const text = 'x'.repeat(options.size)
    const store = db.transaction(() => {
      for (let row = 0; row < options.rows; row++) insert.run(row, row ^ 1, Date.now(), text)
    })
    return await timed('SQLite', options, async () => {
      store()
      // Lets signals be handled between two commits.
      await turn()
    })
  } finally {
    db.close()
  }
}

/** MySQL or MariaDB over one connection: one multi-row INSERT per transaction. */
export async function mysqlAlone(url: string, options: StoreOptions): Promise<StoreResult> {
  const db = await createConnection(url)
  try {
    await db.query(TABLE('bigint auto_increment primary key'))
    await db.query(INDEX)
    const text = 'x'.repeat(options.size)
    const sql = 'insert into message (sender, target, sent_at, text) values ?'
    return await timed('MariaDB', options, async () => {
      await db.query(sql, [Array.from({ length: options.rows }, (_, row) => [row, row ^ 1, Date.now(), text])])
    })
  } finally {
    await db.query('drop table if exists message')
    await db.end()
  }
}

const HEAD = 'create table head (id int primary key, last bigint not null)'

interface SharedStoreOptions extends StoreOptions {
  readonly database: string
  readonly writers: number
}

/** The same with several writers, and with the ids of a cluster: from one row that each commit locks last. */
export async function sharedLogAlone(url: string, options: SharedStoreOptions): Promise<StoreResult> {
  const { database, writers, rows, size } = options
  const connections = await Promise.all(Array.from({ length: writers }, () => createConnection(url)))
  const [first] = connections
  try {
    for (const sql of [TABLE('bigint primary key'), INDEX, HEAD, 'insert into head values (1, 0)'])
      await first?.query(sql)
    const text = 'x'.repeat(size)
    const ids = Array.from({ length: rows }, (_, row) => raw(`@head + ${row + 1}`))
    const sql = `begin not atomic
      declare exit handler for sqlexception begin rollback; resignal; end;
      start transaction;
      update head set last = last + ? where id = 1;
      set @head = (select last from head where id = 1) - ?;
      insert into message (id, sender, target, sent_at, text) values ?;
      commit;
    end`
    const results = await Promise.all(
      connections.map((db) =>
        timed(database, options, async () => {
          await db.query(sql, [rows, rows, ids.map((id, row) => [id, row, row ^ 1, Date.now(), text])])
        }),
      ),
    )
    const rowsPerSecond = results.reduce((sum, result) => sum + result.rowsPerSecond, 0)
    return { database, writers, rowsATransaction: rows, rowsPerSecond }
  } finally {
    await first?.query('drop table if exists message, head')
    for (const db of connections) await db.end()
  }
}

const TABLE = (id: string) =>
  `create table message (id ${id}, sender int, target int, sent_at bigint, text varchar(4000))`
const INDEX = 'create index conversation on message (target, id)'

async function timed(
  database: string,
  { rows, seconds, onProgress, signal }: StoreOptions,
  store: () => Promise<void>,
): Promise<StoreResult> {
  const began = performance.now()
  let stored = 0
  let took = 0
  while (took < seconds) {
    signal.throwIfAborted()
    await store()
    stored += rows
    took = (performance.now() - began) / 1000
    onProgress(Math.min(1, took / seconds))
  }
  return { database, rowsATransaction: rows, rowsPerSecond: stored / took }
}

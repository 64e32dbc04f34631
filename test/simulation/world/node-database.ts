import type { Knex } from 'knex'
import { openSqlite } from '../../../db/sqlite.ts'
import type { Database } from '../../../db/sqlite-driver.ts'
import type { Process } from '../machine/event-loop.ts'
import type { SharedDatabase } from './shared-database.ts'
import { watch } from './statements.ts'

/**
 * What happens to a statement. `before`: it does not run; `after`: it runs, and its result is lost; `crash`: the node ends,
 * before or after it.
 */
export interface DatabaseFault {
  readonly mode: 'before' | 'after' | 'crash before' | 'crash after'
  readonly code: string
  /** Statements of the node that run before it. */
  readonly wait: number
  /** Only such statements count. */
  readonly of?: RegExp
}

/** Errors after which the connection and its transaction are lost. */
const LOST = /^(PROTOCOL_CONNECTION_LOST|ECONNRESET)$/

/** Share of the statements that take a while, and how long, in milliseconds. */
const SLOW_SHARE = 0.05
const SLOW_MS = 5

/** The database as one node sees it: its own connection, with faults. */
export class NodeDatabase {
  readonly db: Knex
  readonly #shared: SharedDatabase
  readonly #process: Process
  #connection: Database
  readonly #crash: () => void
  #fault: DatabaseFault | undefined
  #wait = 0
  /** Every statement fails with this code. */
  outage: string | undefined

  private constructor(
    shared: SharedDatabase,
    process: Process,
    parts: Pick<NodeDatabase, 'db'>,
    connection: Database,
    crash: () => void,
  ) {
    this.#shared = shared
    this.#process = process
    this.db = parts.db
    this.#connection = connection
    this.#crash = crash
    watch(connection, this)
    this.#delay()
  }

  /** Opens a connection as a server does. @param crash ends the node */
  static async open(shared: SharedDatabase, process: Process, crash: () => void): Promise<NodeDatabase> {
    const db = await openSqlite(shared.file)
    const connection: Database = await db.client.acquireConnection()
    await db.client.releaseConnection(connection)
    return new NodeDatabase(shared, process, { db }, connection, crash)
  }

  /** Knex opens another connection when the rollback on the last one has failed. */
  #adopt(connection: Database) {
    if (connection === this.#connection) return
    this.#shared.ran(this, false)
    this.#connection = connection
    watch(connection, this)
  }

  /** Arms a fault. */
  arm(fault: DatabaseFault) {
    this.#fault = fault
    this.#wait = fault.wait
  }

  heal() {
    this.#fault = undefined
    this.outage = undefined
  }

  /** Closes the connection of a node that has ended: an open transaction is rolled back. */
  drop() {
    this.#connection.close()
    this.#shared.ran(this, false)
  }

  before(sql: string, values: readonly unknown[]) {
    if (this.#process.isDead) throw new Error('the node has ended')
    const { loop } = this.#shared
    this.#shared.statements++
    loop.trace.add(`${this.#process.name} ${sql} ${String(values)}`)
    if (this.outage !== undefined) this.#fail(this.outage)
    const fault = this.#fault
    if (fault === undefined || fault.of?.test(sql) === false || this.#wait-- > 0) return
    if (fault.mode === 'before') this.#fail(fault.code)
    if (fault.mode === 'crash before') this.#end()
  }

  after(sql: string, isReader: boolean) {
    const { inTransaction } = this.#connection
    this.#shared.ran(this, inTransaction)
    if (!inTransaction && (!isReader || /^commit/i.test(sql))) this.#shared.onCommit()
    const fault = this.#fault
    if (fault === undefined || this.#wait >= 0) return
    if (fault.mode === 'after') this.#fail(fault.code)
    if (fault.mode === 'crash after') this.#end()
  }

  #end(): never {
    this.#fault = undefined
    this.#crash()
    throw new Error('the node has ended')
  }

  #fail(code: string): never {
    this.#fault = undefined
    this.#shared.loop.trace.add(`${this.#process.name} fails: ${code}`)
    if (LOST.test(code) && this.#connection.inTransaction) this.#rollBack()
    throw Object.assign(new Error(`simulated: ${code}`), { code })
  }

  /** What the database does itself when a connection is lost: it does not fail. */
  #rollBack() {
    const { outage } = this
    this.outage = undefined
    this.#connection.exec('rollback')
    this.outage = outage
  }

  /** Has statements of Knex, and whoever takes a connection, wait for the lock; some of them for a while before. */
  #delay() {
    const prototype = Object.getPrototypeOf(this.db.client)
    const { _query: query, acquireConnection } = prototype
    const turn = () => this.#turn()
    const adopt = (connection: Database) => this.#adopt(connection)
    prototype._query = async function delayed(...given: unknown[]) {
      await turn()
      return query.apply(this, given)
    }
    prototype.acquireConnection = async function delayed() {
      const connection = await acquireConnection.call(this)
      adopt(connection)
      await turn()
      return connection
    }
  }

  async #turn() {
    const { loop } = this.#shared
    // Nothing of a node goes on after its end.
    if (this.#process.isDead) await new Promise(() => {})
    if (loop.random.chance(SLOW_SHARE)) await loop.sleep(loop.random.between(0, SLOW_MS))
    while (this.#shared.isLockedFor(this)) await this.#shared.unlocked(this.#process)
  }
}

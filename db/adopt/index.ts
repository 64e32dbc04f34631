import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { DatabaseError } from '../errors.ts'
import { MIGRATIONS_TABLE, MIGRATOR_TABLES, migrate, migrationState } from '../migrate.ts'
import { fillCorrespondence } from '../migrations/0005_correspondence.ts'
import { NEW_TABLES } from '../migrations/index.ts'
import { isMysql } from '../migrations/tables.ts'
import { transact } from '../transaction.ts'
import type { Context, Step } from './context.ts'
import { friendships, otherHalves } from './friends.ts'
import { groups, memberships, positions } from './groups.ts'
import { advance, begin, createLedger, finish, isFinished, markDone, progressOf, sourceOf } from './ledger.ts'
import { messages } from './messages.ts'
import { columnTypes, ORIGINAL_TABLES, openOriginal, SET_ASIDE } from './original.ts'
import { type AdoptionReport, adoptionReport } from './report.ts'
import { users } from './users.ts'

export { type AdoptionReport, adoptionReport, type TableReport } from './report.ts'

export interface AdoptOptions extends Pick<Context, 'wrapPassword' | 'isLine'> {
  /** The original's MySQL database. */
  readonly source: Knex
  /** Name of the source in errors and in the report, without its password. */
  readonly sourceName: string
  /** The database to fill, which holds no rows; the same object as `source` to adopt in place. */
  readonly target: Knex
  /** Time zone of `datetime` columns, in minutes east of UTC. The original created `timestamp` columns, which need none. */
  readonly timeZone?: number | undefined
  /** Id of a connection to the target that does not count as use by others. */
  readonly ownConnection?: number | undefined
  /** Called after each page. May throw to stop: committed pages stay, and the next run resumes there. */
  readonly onProgress?: (step: string, done: number, total: number) => void
}

/** In the order of their dependencies. */
const STEPS: readonly Step[] = [users, groups, memberships, friendships, otherHalves, messages, positions]
const SCHEMA = 'schema'
/** Checks for connections of others, and the pause between them. */
const MAX_CHECKS = 6
const CHECK_PAUSE_MS = 200

/**
 * Imports the data of the original chat room. Resumes an interrupted run; after a finished one it changes nothing.
 *
 * In place, the original's tables are renamed with the prefix `original_` and kept, except for the passwords.
 * @throws DatabaseError when the source is not the original's, or the target holds other data
 */
export async function adopt(options: AdoptOptions): Promise<AdoptionReport> {
  const { source, target, sourceName } = options
  const isInPlace = source === target
  const earlierSource = await sourceOf(target)
  if (earlierSource !== undefined && earlierSource !== sourceName)
    throw new DatabaseError(`${earlierSource} is or was adopted into this database: it cannot take ${sourceName} too`)
  if (earlierSource === undefined || !(await isFinished(target))) {
    if (earlierSource === undefined) await start(options)
    if (isInPlace) await setAside(target)
    await makeSchema(target)
    await fill(options)
    await transact(target, async (trx) => {
      await fillCorrespondence(trx)
      // Deletes the unwrapped MD5 digests. Assigning reg_time keeps MySQL from updating that timestamp by itself.
      if (isInPlace) await trx(`${SET_ASIDE}userinfo`).update({ password: '', reg_time: trx.ref('reg_time') })
      await finish(trx)
    })
  }
  const report = await adoptionReport(target)
  if (report === undefined) throw new Error('the adoption left no report')
  return report
}

/** Whether an adoption into this database was started and not finished: it must not be served yet. */
export const isHalfAdopted = async (db: Knex): Promise<boolean> =>
  (await sourceOf(db)) !== undefined && !(await isFinished(db))

/** Checks all preconditions without changing anything. @throws DatabaseError as adopt does, or when others are connected */
export async function checkAdoption({ source, target, timeZone, ownConnection = 0 }: AdoptOptions): Promise<void> {
  if (await source.schema.hasTable(MIGRATIONS_TABLE))
    throw new DatabaseError('that is a database of this program already')
  await openOriginal(source, { prefix: '', timeZone })
  if (source === target) return refuseWhileUsed(source, ownConnection)
  if (await target.schema.hasTable('userinfo')) await refuseFilled(target)
  if (isMysql(target)) await refuseWhileUsed(target, ownConnection)
}

async function refuseFilled(target: Knex) {
  if (!(await target.schema.hasTable(MIGRATIONS_TABLE)))
    throw new DatabaseError('the database to fill is one of the original itself; --in-place adopts it where it is')
  const { pending } = await migrationState(target)
  if (pending.length > 0)
    throw new DatabaseError('the database to fill needs migrations: run `chatctl db migrate` first')
  for (const table of ORIGINAL_TABLES)
    if ((await target(table).first('id')) !== undefined)
      throw new DatabaseError('the database to fill has accounts or messages already: it must be a new one')
}

/**
 * Refuses while others are connected. The original's server may go unnoticed: it opens a connection per query.
 * @param ownConnection id of a connection to ignore
 */
async function refuseWhileUsed(db: Knex, ownConnection: number) {
  const others = async () => {
    const rows = db('information_schema.processlist').whereRaw('db = database() and id not in (connection_id(), ?)', [
      ownConnection,
    ])
    const [row] = await rows.count({ others: '*' })
    return Number(row?.others)
  }
  // A closed connection is listed for a moment longer.
  for (let checks = 1; (await others()) > 0; checks++) {
    if (checks === MAX_CHECKS)
      throw new DatabaseError(`${await others()} other connection(s) use the database: stop whatever has it open`)
    await sleep(CHECK_PAUSE_MS)
  }
}

async function start(options: AdoptOptions) {
  await checkAdoption(options)
  const { source, target, sourceName } = options
  const hasSchema = source !== target && (await target.schema.hasTable('userinfo'))
  await createLedger(target)
  await transact(target, async (trx) => {
    await begin(trx, sourceName)
    if (hasSchema) await markDone(trx, SCHEMA)
  })
}

/** Renames the original's tables. MySQL cannot roll that back, so only those that still have their names are renamed. */
async function setAside(db: Knex) {
  const types = await columnTypes(db)
  const left = ORIGINAL_TABLES.filter((table) => !types.has(`${SET_ASIDE}${table}.id`))
  if (left.length === 0) return
  const renames = left.map(() => '?? to ??').join(', ')
  await db.raw(
    `rename table ${renames}`,
    left.flatMap((table) => [table, SET_ASIDE + table]),
  )
}

/** Creates the schema, after dropping the empty tables of an interrupted run: MySQL does not roll back DDL. */
async function makeSchema(db: Knex) {
  if ((await progressOf(db, SCHEMA)).isDone) return
  for (const table of [...ORIGINAL_TABLES, ...NEW_TABLES, ...MIGRATOR_TABLES]) await db.schema.dropTableIfExists(table)
  await migrate(db)
  await markDone(db, SCHEMA)
}

async function fill({ source, target, timeZone, wrapPassword, isLine, onProgress }: AdoptOptions) {
  const types = await columnTypes(source)
  const prefix = types.has(`${SET_ASIDE}userinfo.id`) ? SET_ASIDE : ''
  const original = await openOriginal(source, { prefix, timeZone })
  const context: Context = { original, target, wrapPassword, isLine }
  for (const step of STEPS) await pass(step, context, onProgress)
}

/** Runs one step, resuming after its last committed page. */
async function pass(step: Step, context: Context, onProgress: AdoptOptions['onProgress']) {
  const { target } = context
  let progress = await progressOf(target, step.name)
  if (progress.isDone) return
  const total = await step.count(context)
  onProgress?.(step.name, progress.read, total)
  for (;;) {
    const rows = await step.read(context, progress.lastId, step.pageSize)
    const last = rows.at(-1)
    if (last === undefined) break
    const next = { lastId: last.id, read: progress.read + rows.length, isDone: false }
    try {
      await transact(target, async (trx) => {
        // A retry after the reply to COMMIT was lost: the page is committed.
        if ((await progressOf(trx, step.name)).lastId >= next.lastId) return
        await advance(trx, step.name, next, await step.write(context, trx, rows))
      })
    } catch (error) {
      throw withoutRows(error, `${step.name}, rows ${rows[0]?.id} to ${last.id}`)
    }
    progress = next
    onProgress?.(step.name, progress.read, total)
  }
  await markDone(target, step.name)
  onProgress?.(step.name, total, total)
}

/** Replaces a database error, which quotes the statement with messages or verifiers of users, by one without it. */
function withoutRows(error: unknown, where: string): unknown {
  const { code, sqlMessage, message } = error as { code?: string; sqlMessage?: string; message: string }
  if (code === undefined) return error
  return new DatabaseError(`${where}: ${sqlMessage ?? message.slice(message.lastIndexOf(' - ') + 3)} (${code})`)
}

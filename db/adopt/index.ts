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
  /** What to call it in messages and in the report; without its password. */
  readonly sourceName: string
  /** The database to fill, without any rows; the same object as `source` to adopt in place. */
  readonly target: Knex
  /** Minutes east of UTC that `datetime` columns count in; the original made `timestamp` columns, which need none. */
  readonly timeZone?: number | undefined
  /** A connection to the database to fill that does not count as somebody else's use of it. */
  readonly own?: number | undefined
  /** Told after each page, and thrown out of: what was committed stays, and the next run goes on there. */
  readonly onProgress?: (step: string, done: number, total: number) => void
}

/** Each needs what the ones before it have made. */
const STEPS: readonly Step[] = [users, groups, memberships, friendships, otherHalves, messages, positions]
const SCHEMA = 'schema'
/** How often to look whether others use the database, and how long after another, in milliseconds. */
const LOOKS = 6
const LOOK_MS = 200

/**
 * Takes the data of the original chat room. Run again after it was cut short, anywhere, it goes on; run again after it
 * has finished, it changes nothing.
 *
 * In place, the original's tables are set aside under names that begin with `original_`, and stay there, but for the
 * passwords.
 * @throws DatabaseError when the source is not the original's, or the target holds something else already
 */
export async function adopt(options: AdoptOptions): Promise<AdoptionReport> {
  const { source, target, sourceName } = options
  const isInPlace = source === target
  const begun = await sourceOf(target)
  if (begun !== undefined && begun !== sourceName)
    throw new DatabaseError(`${begun} is being adopted into this database, or was: it cannot take ${sourceName} too`)
  if (begun === undefined || !(await isFinished(target))) {
    if (begun === undefined) await start(options)
    if (isInPlace) await setAside(target)
    await makeSchema(target)
    await fill(options)
    await transact(target, async (trx) => {
      await fillCorrespondence(trx)
      // No bare MD5 is left; the time columns of old tables would else change by themselves.
      if (isInPlace) await trx(`${SET_ASIDE}userinfo`).update({ password: '', reg_time: trx.ref('reg_time') })
      await finish(trx)
    })
  }
  const report = await adoptionReport(target)
  if (report === undefined) throw new Error('the adoption left no report')
  return report
}

/** Whether an adoption into this database was begun and not finished: it must not be served yet. */
export const isHalfAdopted = async (db: Knex): Promise<boolean> =>
  (await sourceOf(db)) !== undefined && !(await isFinished(db))

/** Looks before anything is changed. @throws DatabaseError as adopt does */
export async function checkAdoption({ source, target, timeZone, own = 0 }: AdoptOptions): Promise<void> {
  if (await source.schema.hasTable(MIGRATIONS_TABLE))
    throw new DatabaseError('that is a database of this program already')
  await openOriginal(source, { prefix: '', timeZone })
  if (source === target) return refuseWhileUsed(source, own)
  if (await target.schema.hasTable('userinfo')) await refuseFilled(target)
  if (isMysql(target)) await refuseWhileUsed(target, own)
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

/** The original’s own server opens a connection for each query: this tells about others, and about it by luck. */
async function refuseWhileUsed(db: Knex, own: number) {
  const others = async () => {
    const rows = db('information_schema.processlist').whereRaw('db = database() and id not in (connection_id(), ?)', [
      own,
    ])
    const [row] = await rows.count({ others: '*' })
    return Number(row?.others)
  }
  // One that was just closed is still listed for a moment.
  for (let tries = 1; (await others()) > 0; tries++) {
    if (tries === LOOKS)
      throw new DatabaseError(`${await others()} other connection(s) use the database: stop whatever has it open`)
    await sleep(LOOK_MS)
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

/** Gives the original's tables other names; MySQL cannot undo that, so each is looked at. */
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

/** MySQL does not undo half a migration: what an earlier try has made, which is empty, goes first. */
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

/** Runs one step from where it was left. */
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
        // Tried again after the answer to a commit was lost: it was made.
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

/** What the database said, without the statement: that holds hundreds of people's messages, or their passwords. */
function withoutRows(error: unknown, where: string): unknown {
  const { code, sqlMessage, message } = error as { code?: string; sqlMessage?: string; message: string }
  if (code === undefined) return error
  return new DatabaseError(`${where}: ${sqlMessage ?? message.slice(message.lastIndexOf(' - ') + 3)} (${code})`)
}

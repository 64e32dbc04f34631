import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'

const TABLE = 'chatctl_database'

/** What the data folder remembers of the database, to notice when it has gone back to an earlier state. */
export interface Remembered {
  readonly epoch: string
  /** How often a server was started on the database. */
  readonly starts: number
  /** The highest number of a message. */
  readonly newest: number
  /** SQLite: the file's number in its file system; 0 for a database that is no file. */
  readonly file: number
}

/**
 * The generation of the database: random text that is new whenever the database may have gone back to an earlier state,
 * so that whoever remembers numbers of an earlier generation can tell that they may now name something else.
 */
export async function readEpoch(db: Knex): Promise<string> {
  return (await read(db, 'epoch')) ?? ''
}

/** Begins a new generation; returns its name. */
export async function renewEpoch(db: Knex): Promise<string> {
  const epoch = newEpoch()
  await write(db, 'epoch', epoch)
  return epoch
}

export const newEpoch = () => randomBytes(12).toString('hex')

/**
 * Counts one more start of a server, and begins a new generation when the database is older than what is remembered of
 * it: fewer starts, fewer messages, or another file.
 * @param before what the data folder remembers; undefined when it remembers nothing
 */
export async function countStart(
  db: Knex,
  { before, file }: { before: Remembered | undefined; file: number },
): Promise<Remembered & { readonly wentBack: boolean }> {
  const newest = await newestMessage(db)
  return db.transaction(async (trx) => {
    const starts = Number((await read(trx, 'starts')) ?? 0)
    const epoch = await readEpoch(trx)
    // Of another generation it is known already that numbers mean something else.
    const isSame = before?.epoch === epoch
    const wentBack = isSame && (starts < before.starts || newest < before.newest || file !== before.file)
    const now = { epoch: wentBack ? await renewEpoch(trx) : epoch, starts: starts + 1, newest, file, wentBack }
    await write(trx, 'starts', String(now.starts))
    return now
  })
}

/** Whether nobody has started a server on the database, or restored it, since `countStart`. */
export async function isSameService(db: Knex, { epoch, starts }: Remembered): Promise<boolean> {
  return (await readEpoch(db)) === epoch && Number(await read(db, 'starts')) === starts
}

/** The highest number of a message; 0 when there is none. */
export async function newestMessage(db: Knex): Promise<number> {
  const [row] = await db('chatmsg').max({ newest: 'id' })
  return Number(row?.newest ?? 0)
}

async function read(db: Knex, name: string): Promise<string | undefined> {
  return (await db(TABLE).where({ name }).first('value'))?.value
}

async function write(db: Knex, name: string, value: string) {
  await db(TABLE).insert({ name, value }).onConflict('name').merge(['value'])
}

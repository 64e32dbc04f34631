import type { Knex } from 'knex'
import { endpointsOf } from './mysql.ts'
import { asking } from './selects.ts'

/**
 * What an entry of the log is about. `recall`, `edit`, `reaction`: a message; `group`: name, settings or members of a group; `user`: an
 * account, or a device or token that it has revoked; `relation`: friendship or block between a user and others.
 */
export type Topic = 'recall' | 'edit' | 'reaction' | 'group' | 'user' | 'relation'

/** A change that is not a message: it has its place in the same order as messages. */
export interface LogEntry {
  readonly topic: Topic
  /** Id of the message, group or user that has changed. */
  readonly subject: number
  /**
   * The conversation of a message, see laneOf. For `relation` the other user; for `group` the user who has become a member
   * or has ceased to be one, if it was one.
   */
  readonly target_id?: number | undefined
  readonly lane?: number | undefined
}

/** An entry with its number. */
export type NumberedEntry = LogEntry & { readonly id: number }

/** Entries in one query: a change is a few. */
const PAGE = 1000

/**
 * Takes the next numbers of the log and returns the first. The row `head` stays locked until the commit, so numbers have no
 * gaps and ascend in the order of commits: to be called last in a transaction, after all other locks.
 */
export async function takeNumbers(trx: Knex.Transaction, count: number): Promise<number> {
  await trx('head').where({ id: 1 }).increment('last', count)
  return (await headOf(trx)) - count + 1
}

/** Adds an entry to the log in the transaction of its change; the last statement there, see takeNumbers. */
export async function note(trx: Knex.Transaction, { topic, subject, target_id, lane }: LogEntry): Promise<number> {
  const id = await takeNumbers(trx, 1)
  await trx('change_log').insert({ id, topic, subject, target_id: target_id ?? null, lane: lane ?? null })
  return id
}

/** A page of the entries above a number, in their order. @param upTo the last number that is wanted */
export async function changesAfter(
  db: Knex,
  after: number,
  upTo = Number.MAX_SAFE_INTEGER,
): Promise<{ readonly entries: readonly NumberedEntry[]; readonly isMore: boolean }> {
  const sql = 'select * from change_log where id > ? and id <= ? order by id limit ?'
  const entries = (await asking(db)(sql, [after, upTo, PAGE])) as NumberedEntry[]
  endpointsOf(db)?.saw(entries.at(-1)?.id ?? 0)
  return { entries, isMore: entries.length === PAGE }
}

/** The highest number of the log: of a message or of an entry. */
export async function headOf(db: Knex): Promise<number> {
  const row = await db('head').where({ id: 1 }).first('last')
  const last = Number(row?.last ?? 0)
  endpointsOf(db)?.saw(last)
  return last
}

/** Raises the head to the highest number in use: rows that were written without it, by an adoption, are counted. */
export async function raiseHead(db: Knex) {
  const [message] = await db('chatmsg').max({ last: 'id' })
  const [entry] = await db('change_log').max({ last: 'id' })
  const last = Math.max(Number(message?.last ?? 0), Number(entry?.last ?? 0))
  await db('head').where({ id: 1 }).where('last', '<', last).update({ last })
}

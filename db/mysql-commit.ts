import { hasExtra, INSERT_COLUMNS, insertValues, type NewMessageRow } from './message-columns.ts'
import { MSG_TYPE, placementOf } from './messages.ts'
import { DECIDING, subjectsOf } from './outdated.ts'
import { isServerError, type Run } from './writer-connection.ts'

/** One statement of a commit. */
export interface Step {
  readonly sql: string
  readonly values: readonly unknown[]
}

const step = (sql: string, ...values: readonly unknown[]): Step => ({ sql, values })

/** The statements of a commit. */
export interface Steps {
  readonly locks: readonly Step[]
  /** A query, after all locks: if it finds a row, nothing is stored. */
  readonly guard: Step | undefined
  readonly inserts: readonly Step[]
}

/**
 * The statements that store messages.
 * @param pairs rows of `correspondence` that may be missing
 * @param checkedFrom number of the log above which no change may decide on the messages, see Outdated
 */
export const stepsOf = (
  messages: readonly NewMessageRow[],
  pairs: ReadonlyMap<string, readonly [reader: number, writer: number]>,
  checkedFrom: number | undefined,
): Steps => ({
  // The row `head` is the last lock: it is held only for the INSERT and the commit.
  locks: [...(pairs.size > 0 ? [insertPairs(pairs)] : []), ...takeSequences(messages), ...takeNumbers(messages.length)],
  guard: checkedFrom === undefined ? undefined : changesOf(messages, checkedFrom),
  inserts: [insert(messages), ...(messages.some(hasExtra) ? [insertExtras(messages)] : [])],
})

/** The changes above a number that may decide on messages. */
export const changesOf = (messages: readonly NewMessageRow[], from: number): Step =>
  step(
    'select * from change_log where id > ? and topic in (?) and subject in (?)',
    from,
    DECIDING,
    subjectsOf(messages),
  )

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

/** The INSERT of answered messages and files, by the numbers of the messages. */
function insertExtras(messages: readonly NewMessageRow[]): Step {
  const extras = messages.flatMap((row, index) => (hasExtra(row) ? [{ row, number: index + 1 }] : []))
  const rows = extras.map(({ number }) => `(@head + ${number}, ?, ?)`)
  return step(
    `insert into message_extra (message_id, reply_to, file_id) values ${rows.join(', ')}`,
    ...extras.flatMap(({ row }) => [row.reply_to, row.file.id]),
  )
}

const placeholders = (columns: readonly string[]) => columns.map(() => '?').join(', ')
const SEQ = INSERT_COLUMNS.indexOf('seq')
const VALUES_BEFORE_SEQ = placeholders(INSERT_COLUMNS.slice(1, SEQ))
const VALUES_AFTER_SEQ = placeholders(INSERT_COLUMNS.slice(SEQ + 1))

const FIRST = 'select @head + 1 as first'

/**
 * Commits all steps or none, and returns the first number; undefined if the guard has found something. MariaDB takes them in
 * one packet, a compound statement: a lock is not held while the client computes. MySQL has none outside of routines: there
 * each step is a round trip.
 */
export function stepCommit(): (run: Run, steps: Steps) => Promise<number | undefined> {
  let commit: typeof commitAtOnce | undefined
  return async (run, steps) => {
    commit ??= (await isMariaDb(run)) ? commitAtOnce : commitOneByOne
    try {
      return await commit(run, steps)
    } catch (error) {
      // Also after a compound statement: it does not roll back when it is killed. A lost connection is closed by its owner.
      if (isServerError(error)) await undo(run)
      throw error
    }
  }
}

async function isMariaDb(run: Run): Promise<boolean> {
  const [row] = await run<{ version: string }[]>('select version() as version')
  return /mariadb/i.test(String(row?.version))
}

async function commitAtOnce(run: Run, { locks, guard, inserts }: Steps): Promise<number | undefined> {
  const sqlOf = (steps: readonly Step[]) => steps.map(({ sql }) => `${sql};`).join('\n')
  const store = `${sqlOf(inserts)} commit;`
  const [rows] = await run<[{ first: number | null }[]]>(
    `begin not atomic
       declare exit handler for sqlexception begin rollback; resignal; end;
       start transaction;
       ${sqlOf(locks)}
       ${guard === undefined ? store : `if exists (${guard.sql}) then rollback; set @head = null; else ${store} end if;`}
       ${FIRST};
     end`,
    [...locks, ...(guard === undefined ? [] : [guard]), ...inserts].flatMap(({ values }) => values),
  )
  return rows[0]?.first == null ? undefined : Number(rows[0].first)
}

async function commitOneByOne(run: Run, { locks, guard, inserts }: Steps): Promise<number | undefined> {
  await run('start transaction')
  for (const { sql, values } of locks) await run(sql, values)
  if (guard !== undefined && (await run<unknown[]>(guard.sql, guard.values)).length > 0) {
    await run('rollback')
    return undefined
  }
  for (const { sql, values } of inserts) await run(sql, values)
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

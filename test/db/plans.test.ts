import test from 'ava'
import type { Knex } from 'knex'
import { CORRESPONDENTS, seed } from '../../bench/grown/seed.ts'
import {
  blockedBy,
  conversation,
  findUsers,
  friendsOf,
  groupHistory,
  groupMessagesTo,
  groupPositions,
  groupStates,
  groupsOf,
  lastMessages,
  listUsers,
  membersOf,
  messageChangesFor,
  messagesByIds,
  messagesTo,
  migrate,
  positionsWith,
  privateIds,
  profileTimes,
  requestsOf,
  unreadByGroup,
  unreadBySender,
  withReadState,
} from '../../db/index.ts'
import { isMysql } from '../../db/migrations/tables.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

const ROWS = 20_000
/** The user of the seed with the most conversations. */
const HUB = 1

type Read = (db: Knex) => Promise<unknown>

const friends = Array.from({ length: CORRESPONDENTS }, (_, index) => index + 2)
const page = { limit: 50 }
const middle = ROWS / 2
const newest = Number.MAX_SAFE_INTEGER

/** What requests of users read, for which a database of any size must have an index. */
const READS: Readonly<Record<string, Read>> = {
  login: (db) => findUsers(db, ['user-1']),
  'unread counts of users': (db) => unreadBySender(db, HUB),
  'unread counts of groups': (db) => unreadByGroup(db, HUB),
  'unread messages': (db) => messagesTo(db, HUB, { ...page, after: 0, unreadOnly: true }),
  'unread messages of groups': (db) => groupMessagesTo(db, HUB, { ...page, after: 0, unreadOnly: true }),
  'messages after one': (db) => messagesTo(db, HUB, { ...page, after: middle, unreadOnly: false, withSent: true }),
  'messages of groups after one': (db) => groupMessagesTo(db, HUB, { ...page, after: middle, unreadOnly: false }),
  'messages of one sender': (db) => messagesTo(db, HUB, { ...page, after: 0, unreadOnly: true, senderId: 5 }),
  'messages by id': async (db) => withReadState(db, await messagesByIds(db, [5, 6, 7])),
  'newest history': (db) => conversation(db, HUB, 7, { ...page, before: newest }),
  'history before a message': (db) => conversation(db, HUB, 7, { ...page, before: middle }),
  'history after a message': (db) => conversation(db, HUB, 7, { ...page, after: middle }),
  'newest history of a group': (db) => groupHistory(db, 2, 0, { ...page, before: newest }),
  'history of a group before a message': (db) => groupHistory(db, 2, 0, { ...page, before: middle }),
  'history of a group after a message': (db) => groupHistory(db, 2, 0, { ...page, after: middle }),
  'search of received messages': (db) => privateIds(db, { target_id: HUB }, { before: newest, limit: 200 }),
  'search of sent messages': (db) => privateIds(db, { user_id: HUB }, { before: newest, limit: 200 }),
  'changes of messages': (db) => messageChangesFor(db, HUB, { ...page, after: 0 }),
  'positions in conversations': (db) => positionsWith(db, HUB, 0, 100),
  'positions in groups': (db) => groupPositions(db, HUB),
  'last messages of contacts': (db) => lastMessages(db, HUB, friends),
  'last messages of groups': (db) => groupStates(db, HUB),
  'profiles of contacts': (db) => profileTimes(db, friends.slice(0, 100)),
  groups: (db) => groupsOf(db, HUB),
  'members of a group': (db) => membersOf(db, 2),
  friends: (db) => friendsOf(db, HUB),
  'blocked users': (db) => blockedBy(db, HUB),
  'friend requests': (db) => requestsOf(db, HUB, 100),
  'a page of users': (db) => listUsers(db, 5000, 100),
}

/** Lists of one user that are ordered by something else than their index, all of which are bounded by a limit. */
const SORTED = new Set(['groups', 'blocked users', 'friend requests'])

interface Statement {
  readonly sql: string
  readonly bindings: Knex.Value[]
}

/** A row of EXPLAIN. */
interface Explained {
  readonly table: string | null
  readonly type: string | null
  readonly Extra: string | null
}

async function statementsOf(db: Knex, read: Read): Promise<Statement[]> {
  const statements = new Map<string, Statement>()
  const onQuery = (statement: Statement) => statements.set(statement.sql, statement)
  db.on('query', onQuery)
  await read(db)
  db.removeListener('query', onQuery)
  return [...statements.values()]
}

/** Whether a statement reads a whole table or index, or sorts. */
async function faultsOf(db: Knex, { sql, bindings }: Statement): Promise<{ scans: string[]; sorts: string[] }> {
  if (isMysql(db)) {
    const [rows]: Explained[][] = await db.raw(`explain ${sql}`, bindings)
    // Results of subqueries have names in angle brackets, or of their own.
    const isTable = ({ table }: Explained) => table !== null && !/^<|^(slice|scanned|one|r\d+)$/.test(table)
    const described = (row: object) => JSON.stringify(row)
    return {
      scans: (rows ?? []).filter((row) => isTable(row) && /^(ALL|index)$/.test(row.type ?? '')).map(described),
      sorts: (rows ?? []).filter((row) => isTable(row) && /filesort/.test(row.Extra ?? '')).map(described),
    }
  }
  const rows: { detail: string }[] = await db.raw(`explain query plan ${sql}`, bindings)
  const details = rows.map(({ detail }) => detail)
  return {
    scans: details.filter((detail) =>
      /^SCAN (?!(slice|scanned|one|json_each)\b|CONSTANT ROW|\d+-ROW VALUES)/.test(detail),
    ),
    sorts: details.filter((detail) => /TEMP B-TREE FOR ORDER BY/.test(detail)),
  }
}

test('what users ask for is read by indexes, in the order of an index', async (t) => {
  const { db, where } = await emptyDatabase(t)
  await migrate(db)
  await seed(where, ROWS, () => {})
  if (isMysql(db)) await db.raw('analyze table chatmsg, chatroom_user, userfriend, correspondence')
  for (const [name, read] of Object.entries(READS)) {
    const statements = await statementsOf(db, read)
    t.true(statements.length > 0, name)
    for (const statement of statements) {
      const { scans, sorts } = await faultsOf(db, statement)
      t.deepEqual(scans, [], `${name}: ${statement.sql}`)
      if (!SORTED.has(name)) t.deepEqual(sorts, [], `${name}: ${statement.sql}`)
    }
  }
})

test('a statement that reads a whole table is noticed', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const { scans } = await faultsOf(db, { sql: 'select id from chatmsg where msg = ?', bindings: ['x'] })
  t.is(scans.length, 1)
  const { sorts } = await faultsOf(db, {
    sql: 'select id from chatmsg where target_id = ? and lane = ? order by send_time',
    bindings: [1, 2],
  })
  t.is(sorts.length, 1)
})

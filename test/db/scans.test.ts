import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { Knex } from 'knex'
import {
  conversation,
  dissolveGroup,
  groupHistory,
  groupMessagesTo,
  groupStates,
  groupsSeen,
  insertGroup,
  insertUser,
  inviteToGroup,
  lastMessages,
  messagesTo,
  migrate,
  requestFriend,
  requestsOf,
  unreadByGroup,
  unreadBySender,
} from '../../db/index.ts'
import { isMysql } from '../../db/migrations/tables.ts'
import { MysqlPositions } from '../../db/mysql-positions.ts'
import { placeOf } from '../../db/places.ts'
import { MAX_SCANNED } from '../../db/selects.ts'
import { WriterConnection } from '../../db/writer-connection.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'
import { type Count, countExamined, seedMessages } from '../support/databases/messages.ts'

/** More than a read may scan. */
const MANY = 40_000

const onMariadb = process.env.TEST_DATABASE === undefined ? test.skip : test

/**
 * On MariaDB the count covers all statements of a read, which scans up to 1.3 times MAX_SCANNED, and each entry three times:
 * in the index, its row, and for the end of the slice.
 */
const bound = (db: Knex) => (isMysql(db) ? 3.9 * MAX_SCANNED : MAX_SCANNED)

interface Chat {
  readonly db: Knex
  readonly alice: number
  readonly bob: number
  readonly group: number
}

async function aliceAndBob(t: ExecutionContext): Promise<Chat> {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const user = async (name: string) =>
    (await insertUser(db, { username: name, password: 'x', nickname: name, role: 'user' })) ?? 0
  const [alice, bob] = [await user('alice'), await user('bob')]
  const made = await insertGroup(db, { name: 'ops', ownerId: alice, isOpen: true, allHistory: true, now: 1 })
  const group = 'id' in made ? made.id : 0
  await db('chatroom_user').insert({ chatroom_id: group, user_id: bob, create_time: 1, isActive: 1 })
  return { db, alice, bob, group }
}

/** Messages of the group with ids 10, 20, 30, …; by their sender. */
async function seedGroup({ db, group }: Chat, senders: readonly number[], isActive = 1) {
  const message = (user_id: number, index: number) => ({
    id: (index + 1) * 10,
    user_id,
    target_id: group,
    msg_type: 4,
    seq: index + 1,
    isActive,
  })
  await seedMessages(db, senders.map(message))
  await db('chatroom').where({ id: group }).update({ last_seq: senders.length })
}

/** Private messages of Alice to Bob with ids 1, 2, 3, … */
async function seedPrivate({ db, alice, bob }: Chat, count: number, isActive: (id: number) => boolean) {
  await db('correspondence').insert({ reader_id: bob, writer_id: alice })
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const ends = { user_id: alice, target_id: bob, msg_type: 1 }
  await seedMessages(
    db,
    ids.map((id) => ({ ...ends, id, isActive: isActive(id) ? 1 : 0 })),
  )
}

test('a count of unread messages scans the first 1,000 after each read position, of the wanted conversations only', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice, bob, group } = chat
  await seedGroup(chat, Array(5000).fill(alice))
  await seedPrivate({ ...chat, alice: bob, bob: alice }, 9, () => true)
  const examined = await countExamined(db)
  const most = await examined(async () => {
    t.deepEqual(await unreadByGroup(db, bob), { counts: new Map([[group, 1000]]), scanned: 1000 })
    t.deepEqual(await unreadByGroup(db, alice), { counts: new Map(), scanned: 1000 })
  })
  t.true(most <= (isMysql(db) ? 5000 : 1000), String(most))
  t.deepEqual(await unreadByGroup(db, bob, new Set([group + 1])), { counts: new Map(), scanned: 0 })
  t.deepEqual(await unreadBySender(db, alice), { counts: new Map([[bob, 9]]), scanned: 9 })
  t.deepEqual(await unreadBySender(db, alice, new Set([alice])), { counts: new Map(), scanned: 0 })
})

/** Reads until there is no more; ids found, and the highest number of rows examined by one read. */
async function readAll(
  examined: Count,
  load: (after: number) => Promise<{ found: { id: number }[]; readTo?: number }>,
) {
  const ids: number[] = []
  let most = 0
  for (let after: number | undefined = 0; after !== undefined; ) {
    let part: { found: { id: number }[]; readTo?: number } = { found: [] }
    const from: number = after
    most = Math.max(
      most,
      await examined(async () => {
        part = await load(from)
      }),
    )
    ids.push(...part.found.map(({ id }) => id))
    after = part.readTo ?? part.found.at(-1)?.id
  }
  return { ids, most }
}

test('unread messages are found among any number of own ones, and a read scans a bounded number', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice, bob } = chat
  const senders = Array.from({ length: MANY }, (_, index) => (index === 0 || index === MANY - 1 ? bob : alice))
  await seedGroup(chat, senders)
  const examined = await countExamined(db)
  const query = { limit: 50, unreadOnly: true }
  const { ids, most } = await readAll(examined, (after) => groupMessagesTo(db, alice, { ...query, after }))
  t.deepEqual(ids, [10, MANY * 10])
  t.true(most <= bound(db), String(most))
})

test('messages of one kind are found among any number of another kind, and a read scans a bounded number', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, bob } = chat
  await seedPrivate(chat, MANY, () => true)
  await db('correspondence').insert({ reader_id: bob, writer_id: 0 })
  await seedMessages(db, [{ id: MANY + 5, user_id: 0, target_id: bob, msg_type: 2 }])
  const examined = await countExamined(db)
  const query = { limit: 50, unreadOnly: true, kind: 2 }
  const { ids, most } = await readAll(examined, (after) => messagesTo(db, bob, { ...query, after }))
  t.deepEqual(ids, [MANY + 5])
  t.true(most <= bound(db), String(most))
})

test('a deleted message costs the history, the inbox and the contact list no scan without a bound', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice, bob } = chat
  await seedPrivate(chat, MANY, (id) => id === 1)
  const examined = await countExamined(db)
  const page = { before: Number.MAX_SAFE_INTEGER, limit: 50 }
  const history = await examined(async () => {
    t.deepEqual(
      (await conversation(db, alice, bob, page)).map(({ id }) => id),
      [1],
    )
  })
  const last = await examined(async () => {
    t.deepEqual(await lastMessages(db, alice, [bob]), new Map(), 'no preview beyond the newest messages')
  })
  t.true(last <= bound(db), String(last))
  // The history goes on until the page is full: all slices count on MariaDB.
  if (!isMysql(db)) t.true(history <= MAX_SCANNED, String(history))
})

test('a preview is the newest message that is not deleted, in private and in a group', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice, bob, group } = chat
  await seedPrivate(chat, 9, (id) => id < 4)
  await db('correspondence').insert({ reader_id: alice, writer_id: bob })
  await seedMessages(db, [
    { id: 5001, user_id: bob, target_id: alice, msg_type: 1 },
    { id: 5002, user_id: bob, target_id: alice, msg_type: 1, isActive: 0 },
    { id: 5003, user_id: 0, target_id: alice, msg_type: 2 },
  ])
  const seeded = { user_id: bob, target_id: group, msg_type: 4 }
  await seedMessages(db, [
    { ...seeded, id: 6001, seq: 1 },
    { ...seeded, id: 6002, seq: 2, isActive: 0 },
  ])
  const last = await lastMessages(db, alice, [bob, 0])
  t.deepEqual(
    [...last].map(([id, row]) => [id, row.id]),
    [
      [bob, 5001],
      [0, 5003],
    ],
  )
  t.deepEqual(
    (await groupStates(db, alice)).map((state) => state.last?.id),
    [6001],
  )
})

test('a list of friend requests, and a new one, read only pending ones', async (t) => {
  const { db, alice, bob } = await aliceAndBob(t)
  const request = { user_id: alice, target_id: bob, send_time: 1, msg_type: 3, lane: -3, msg: '', isRead: 1 }
  await db.batchInsert('chatmsg', Array(2000).fill(request), 50)
  await db('head').update({ last: 5000 })
  const carol = await insertUser(db, { username: 'carol', password: 'x', nickname: '', role: 'user' })
  const asked = { fromId: carol as number, toId: bob, note: 'hello', now: 1 }
  await requestFriend(db, asked, { friends: 10, friendRequests: 2 })
  const examined = await countExamined(db)
  const most = await examined(async () => {
    const [received, sent] = [await requestsOf(db, bob, 1000), await requestsOf(db, alice, 1000)]
    t.deepEqual(
      received.map(({ user_id, msg }) => [user_id, msg]),
      [
        [alice, ''],
        [carol, 'hello'],
      ],
    )
    t.deepEqual(sent, received.slice(0, 1))
  })
  t.true(most <= 10, String(most))
})

/** The indexes that a statement reads by, in a text of the database. */
async function planOf(db: Knex, { sql, bindings }: { sql: string; bindings: Knex.Value[] }): Promise<string> {
  const plan = await db.raw(`explain ${isMysql(db) ? '' : 'query plan '}${sql}`, bindings)
  return JSON.stringify(isMysql(db) ? plan[0] : plan)
}

test('ended memberships and invitations are not read with the current ones of their user', async (t) => {
  const { db, alice, bob, group } = await aliceAndBob(t)
  const carol = await insertUser(db, { username: 'carol', password: 'x', nickname: '', role: 'user' })
  const invitation = { now: 1, invitations: 10, invitationsToOne: 10 }
  await inviteToGroup(db, { id: group, name: 'ops' }, { id: alice }, carol as number, invitation)
  const ended = Array.from({ length: 2000 }, (_, n) => ({ chatroom_id: 10_000 + n, user_id: bob, create_time: 1 }))
  await db.batchInsert(
    'chatroom_user',
    ended.map((row) => ({ ...row, isActive: 0 })),
    50,
  )
  const statements: { sql: string; bindings: Knex.Value[] }[] = []
  const onQuery = (query: { sql: string; bindings: Knex.Value[] }) => statements.push(query)
  db.on('query', onQuery)
  t.deepEqual(
    (await groupsSeen(db, bob)).map(({ name }) => name),
    ['ops'],
  )
  db.removeListener('query', onQuery)
  const [statement] = statements
  t.regex(statement === undefined ? '' : await planOf(db, statement), /chatroom_user_by_user/)
  const dissolved = await dissolveGroup(db, { id: group, name: 'ops' }, { id: alice })
  t.deepEqual('members' in dissolved && dissolved.members.map(({ role }) => role).toSorted(), ['member', 'owner'])
  const left = await db('chatroom_user').where({ isActive: 1 }).orWhere({ role: 'invited' })
  t.deepEqual(left, [])
})

test('the contact list reads the beginning of each newest text, of a bounded number in one statement', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice } = chat
  const count = 1000
  const friends = Array.from({ length: count }, (_, n) => n + 1000)
  await db.batchInsert(
    'userinfo',
    friends.map((id) => ({
      id,
      username: `friend ${id}`,
      password: 'x',
      nickname: '',
      role: 'user',
      reg_time: 1,
      isActive: 1,
    })),
    50,
  )
  const text = '😀'.repeat(4000)
  await seedMessages(
    db,
    friends.map((id) => ({ id: id * 10, user_id: id, target_id: alice, msg_type: 1, msg: text })),
  )
  let most = 0
  const onResponse = (response: unknown) => {
    most = Math.max(most, JSON.stringify(response).length)
  }
  db.on('query-response', onResponse)
  const last = await lastMessages(db, alice, friends)
  db.removeListener('query-response', onResponse)
  t.is(last.size, count)
  t.deepEqual(last.get(1000), { id: 10_000, user_id: 1000, send_time: 1, beginning: '😀'.repeat(500) })
  t.true(most > 0 && most < 300_000, `${most} characters in one response`)
})

test('a page of a group begins at any id, whether it is one of the group or not', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice, bob } = chat
  await seedGroup(chat, Array(MANY).fill(bob))
  const { group } = chat
  const examined = await countExamined(db)
  const last = MANY * 10
  const middle = last / 2
  const query = { limit: 2, unreadOnly: false }
  for (const unreadOnly of [true, false])
    for (const [after, next] of [
      [0, [10, 20]],
      [1, [10, 20]],
      [10, [20, 30]],
      [middle - 1, [middle, middle + 10]],
      [middle, [middle + 10, middle + 20]],
      [last - 1, [last]],
      [last, []],
      [last + 1, []],
    ] as const) {
      const most = await examined(async () => {
        const { found } = await groupMessagesTo(db, alice, { ...query, unreadOnly, after })
        t.deepEqual(
          found.map(({ id }) => id),
          next,
          `after ${after}`,
        )
      })
      t.true(most < 1000, `after ${after}: ${most}`)
    }
  for (const [before, newest] of [
    [10, []],
    [11, [10]],
    [middle, [middle - 20, middle - 10]],
    [middle + 1, [middle - 10, middle]],
    [last, [last - 20, last - 10]],
    [last + 1, [last - 10, last]],
    [Number.MAX_SAFE_INTEGER, [last - 10, last]],
  ] as const) {
    const most = await examined(async () => {
      const rows = await groupHistory(db, group, 0, { before, limit: 2 })
      t.deepEqual(
        rows.map(({ id }) => id),
        newest,
        `before ${before}`,
      )
    })
    t.true(most < 1000, `before ${before}: ${most}`)
  }
  for (const [after, oldest] of [
    [1, [10, 20]],
    [middle, [middle + 10, middle + 20]],
    [middle + 1, [middle + 10, middle + 20]],
    [last - 1, [last]],
    [last, []],
  ] as const) {
    const most = await examined(async () => {
      const rows = await groupHistory(db, group, 0, { after, limit: 2 })
      t.deepEqual(
        rows.map(({ id }) => id),
        oldest,
        `after ${after}`,
      )
    })
    t.true(most < 1000, `after ${after}: ${most}`)
  }
})

test('the place of an id in a group is found by few reads, among sequence numbers with gaps too', (t) => {
  const entries = Array.from({ length: 300_000 }, (_, index) => ({ seq: index + 1, id: (index + 1) * 10 }))
  const present = entries.filter(({ seq }) => seq > 1000 && seq % 7 !== 0)
  let reads = 0
  const find = (id: number) => {
    reads = 0
    const firstFrom = (seq: number) => {
      reads++
      return present.find((entry) => entry.seq >= seq)
    }
    return placeOf(id, firstFrom, 300_000)
  }
  for (const [id, place] of [
    [0, undefined],
    [10_019, undefined],
    [10_020, 1002],
    [70_000, 6999],
    [1_500_001, 150_000],
    [2_999_999, 299_998],
    [Number.MAX_SAFE_INTEGER, 300_000],
  ] as const) {
    t.is(find(id), place, String(id))
    t.true(reads <= 20, `${id}: ${reads} reads`)
  }
  t.is(
    placeOf(5, () => undefined, 0),
    undefined,
  )
})

onMariadb('an acknowledgement up to an id of another conversation reads few messages', async (t) => {
  const chat = await aliceAndBob(t)
  const { db, alice, bob, group } = chat
  await seedGroup(chat, Array(MANY).fill(bob))
  const examined = await countExamined(db)
  const positions = new MysqlPositions()
  const connection = new WriterConnection(db)
  for (const [upTo, place] of [
    [5, 0],
    [15, 1],
    [MANY * 5 + 1, MANY / 2],
    [MANY * 20, MANY],
  ] as const) {
    const read = { readerId: alice, fromId: group, isGroup: true, upTo }
    const most = await examined(() => connection.use((run) => positions.advance(run, [read], 0)))
    t.is(Number((await db('chatroom_user').where({ user_id: alice }).first()).read_seq), place)
    t.true(most < 1000, `up to ${upTo}: ${most}`)
  }
})

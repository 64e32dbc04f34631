import type { ExecutionContext } from 'ava'
import test from 'ava'
import { ChangeFeed, insertGroup, insertUser, migrate, updateUser } from '../../db/index.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

async function follow(t: ExecutionContext) {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  const errors: unknown[] = []
  const feed = await ChangeFeed.open(db, (error) => errors.push(error))
  const told: string[] = []
  for (const topic of ['user', 'group'] as const)
    feed.follow(topic, {
      changed: ({ subject }) => void told.push(`${topic} ${subject}`),
      missed: () => told.push(`${topic}s missed`),
    })
  const user = async (name: string) =>
    (await insertUser(db, { username: name, password: 'x', nickname: name, role: 'user' })) ?? 0
  return { db, feed, told, errors, user }
}

test('every change is told once, in the order of the commits', async (t) => {
  const { db, feed, told, user } = await follow(t)
  const alice = await user('alice')
  await insertGroup(db, { name: 'ops', ownerId: alice, isOpen: true, allHistory: true, now: 1 })
  await updateUser(db, 'alice', { nickname: 'Al' })
  await feed.catchUp()
  t.deepEqual(told, [`user ${alice}`, 'group 1', `user ${alice}`])
  await feed.catchUp()
  t.is(told.length, 3)
})

test('what was there before the feed was opened is not told', async (t) => {
  const { db, user } = await follow(t)
  await user('alice')
  const told: unknown[] = []
  const later = await ChangeFeed.open(db, (error) => told.push(error))
  later.follow('user', { changed: (entry) => void told.push(entry), missed: () => told.push('missed') })
  await later.catchUp()
  t.deepEqual(told, [])
})

test('a call during a read is told of changes that the read has missed', async (t) => {
  const { feed, told, user } = await follow(t)
  const first = feed.catchUp()
  const alice = await user('alice')
  await Promise.all([first, feed.catchUp(), feed.catchUp()])
  t.deepEqual(told, [`user ${alice}`])
})

test('more changes than one query reads are all told', async (t) => {
  const { db, feed, told } = await follow(t)
  const entries = Array.from({ length: 2500 }, (_, index) => ({ id: index + 1, topic: 'user', subject: index }))
  await db.batchInsert('change_log', entries, 100)
  await feed.catchUp()
  t.deepEqual(
    told,
    entries.map(({ subject }) => `user ${subject}`),
  )
})

test('a log that cannot be read is reported as missed, and is read later', async (t) => {
  const { db, feed, told, errors, user } = await follow(t)
  await db.schema.renameTable('change_log', 'away')
  await feed.catchUp()
  t.deepEqual(told, ['users missed', 'groups missed'])
  t.is(errors.length, 1)
  await db.schema.renameTable('away', 'change_log')
  const alice = await user('alice')
  await feed.catchUp()
  t.deepEqual(told.slice(2), [`user ${alice}`])
})

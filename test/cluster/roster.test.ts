import test from 'ava'
import { insertGroup, insertUser, joinGroup, LogFeed, migrate } from '../../db/index.ts'
import { Roster } from '../../plugins/groups/roster.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

test('a change of another node, told while a node follows its own change, is in the group afterwards', async (t) => {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  for (const username of ['alice', 'bob', 'carol'])
    await insertUser(db, { username, password: 'x', nickname: username, role: 'user' })
  const key = { id: 1, name: 'ops' }
  await insertGroup(db, { name: key.name, ownerId: 1, isOpen: true, allHistory: true, now: 1 })
  const feed = await LogFeed.start({ db, now: () => 0, say: () => {}, onError: (error) => t.fail(String(error)) })
  const roster = new Roster(db, feed, async () => {})
  const joins = (userId: number) => joinGroup(db, key, userId, { now: 1, groupMembers: 10, groupsPerUser: 10 })
  const changeHereAndThere = async () => {
    const outcome = await joins(2)
    await joins(3)
    return outcome
  }
  await roster.change(key.name, changeHereAndThere, ({ after }) => t.is(after.members.size, 2))
  t.is((await roster.byId(1))?.members.size, 3)
})

import test from 'ava'
import { ChangeFeed, insertGroup, insertUser, joinGroup } from '../../db/index.ts'
import { Roster } from '../../plugins/groups/roster.ts'
import { testServer } from '../../testing/index.ts'

const LIMITS = { now: 0, groupMembers: 10, groupsPerUser: 10 }

test('a group that another server has changed right after this one is known with both changes', async (t) => {
  await using server = await testServer()
  const { db } = server
  const [ann = 0, bob = 0, carol = 0] = await Promise.all(
    ['ann', 'bob', 'carol'].map((username) =>
      insertUser(db, { username, nickname: '', password: 'none', role: 'user' }, 0),
    ),
  )
  await insertGroup(db, { name: 'dev', ownerId: ann, isOpen: true, allHistory: false, now: 0 })
  const changes = await ChangeFeed.open(db, (error) => t.fail(String(error)))
  const roster = new Roster(db, changes, async () => {})
  const join = (key: Parameters<typeof joinGroup>[1], user: number) => joinGroup(db, key, user, LIMITS)
  await roster.change(
    'dev',
    async (key) => {
      const own = await join(key, bob)
      await join(key, carol)
      return own
    },
    () => {},
  )
  const group = await roster.named('dev')
  t.deepEqual(group.memberIds.toSorted(), [ann, bob, carol].toSorted())
})

import type { ExecutionContext } from 'ava'
import test from 'ava'
import {
  befriend,
  insertGroup,
  insertUser,
  joinGroup,
  kickFromGroup,
  MessageWriter,
  MSG_TYPE,
  migrate,
  NO_FILE,
  newRow,
  plainContent,
  renameGroup,
  UNCHECKED,
  updateUser,
} from '../../db/index.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

/** Users 1 to 4 and the groups 1 and 2, of all of them; `send` stores messages, and tells what became of each. */
async function town(t: ExecutionContext) {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  for (const username of ['alice', 'bob', 'carol', 'dave'])
    await insertUser(db, { username, password: 'x', nickname: username, role: 'user' })
  const limits = { now: 1, groupMembers: 10, groupsPerUser: 10 }
  for (const [id, name] of [
    [1, 'ops'],
    [2, 'dev'],
  ] as const) {
    await insertGroup(db, { name, ownerId: 1, isOpen: true, allHistory: true, now: 1 })
    for (const userId of [2, 3, 4]) await joinGroup(db, { id, name }, userId, limits)
  }
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  t.teardown(() => writer.close())
  let clientIds = 0
  const message = (user_id: number, to: { user: number } | { group: number }, checkedUpTo: number) => {
    const target =
      'user' in to ? { target_id: to.user, msg_type: 1 } : { target_id: to.group, msg_type: MSG_TYPE.group }
    const envelope = { user_id, ...target, client_id: `${++clientIds}`, send_time: 1, hops: 0 }
    return newRow(envelope, plainContent('hello'), 0, NO_FILE, checkedUpTo)
  }
  const send = async (...rows: ReturnType<typeof message>[]) => {
    const results = await Promise.allSettled(rows.map((row) => writer.store(row)))
    return results.map((result) => (result.status === 'fulfilled' ? result.value.id : result.reason.name))
  }
  return { db, writer, message, send, head: writer.horizon }
}

test('a message of a member who was removed after the check is not stored; the others of its commit are, without a gap', async (t) => {
  const { db, message, send, head } = await town(t)
  await kickFromGroup(db, { id: 1, name: 'ops' }, { id: 1 }, 3)
  const outcome = await send(
    message(2, { group: 2 }, head),
    message(3, { group: 1 }, head),
    message(3, { group: 2 }, head),
    message(3, { user: 1 }, head),
  )
  t.deepEqual(outcome, [head + 2, 'Outdated', head + 3, head + 4])
  t.deepEqual(await db('chatroom').orderBy('id').pluck('last_seq'), [0, 2])
})

test('what was checked after the change is stored', async (t) => {
  const { db, message, send, head } = await town(t)
  await kickFromGroup(db, { id: 1, name: 'ops' }, { id: 1 }, 3)
  t.deepEqual(await send(message(2, { group: 1 }, head + 1)), [head + 2])
})

test('any change of the sender, the recipient or the group counts, and one between two users only for them', async (t) => {
  const { db, message, send, head } = await town(t)
  await updateUser(db, 'dave', { isActive: 0 })
  await befriend(db, 1, 2, 1)
  await renameGroup(db, { id: 2, name: 'dev' }, { id: 1 }, 'dev2')
  const outcomes = await send(
    message(4, { group: 1 }, head),
    message(4, { user: 3 }, head),
    message(3, { user: 4 }, head),
    message(1, { user: 2 }, head),
    message(2, { user: 1 }, head),
    message(1, { group: 2 }, head),
  )
  t.deepEqual([...new Set(outcomes)], ['Outdated'])
  const stored = [message(1, { user: 3 }, head), message(1, { group: 1 }, head), message(2, { user: 2 }, head)]
  t.deepEqual(await send(...stored), [head + 4, head + 5, head + 6])
})

test('a message that is not checked again is stored whatever has changed', async (t) => {
  const { db, message, send, head } = await town(t)
  await updateUser(db, 'dave', { isActive: 0 })
  t.deepEqual(await send(message(0, { user: 4 }, UNCHECKED), message(1, { user: 4 }, head)), [head + 2, 'Outdated'])
})

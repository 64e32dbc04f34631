import type { ExecutionContext } from 'ava'
import test from 'ava'
import {
  findUsersById,
  headOf,
  insertUser,
  MessageWriter,
  migrate,
  NO_FILE,
  newRow,
  plainContent,
  UNCHECKED,
} from '../../db/index.ts'
import { emptyDatabase } from '../support/databases/empty-database.ts'

/** Needs the server of TEST_DATABASE: in SQLite nobody else writes to the file. */
const onMysql = process.env.TEST_DATABASE === undefined ? test.skip : test

const user = (username: string) => ({ username, password: 'x', nickname: username, role: 'user' as const })

async function townOf(t: ExecutionContext) {
  const { db } = await emptyDatabase(t)
  await migrate(db)
  for (const name of ['alice', 'bob']) await insertUser(db, user(name))
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  t.teardown(() => writer.close())
  const message = (client_id: string) =>
    newRow(
      { user_id: 1, target_id: 2, msg_type: 1, client_id, send_time: 1, hops: 0 },
      plainContent('hello'),
      0,
      NO_FILE,
      UNCHECKED,
    )
  return { db, writer, message }
}

onMysql(
  'messages whose numbers another program has taken are stored with later ones, and are no repeats',
  async (t) => {
    const { db, writer, message } = await townOf(t)
    const { id: first } = await writer.store(message('first'))
    const [row] = await db('chatmsg').where({ id: first })
    for (const add of [1, 2]) await db('chatmsg').insert({ ...row, id: first + add, client_id: `foreign ${add}` })
    t.is(await headOf(db), first, 'the other program knows nothing of the head')
    const stored = await Promise.all(['one', 'first', 'two'].map((clientId) => writer.store(message(clientId))))
    t.deepEqual(
      stored.map(({ id, repeat }) => ({ id, repeat })),
      [
        { id: first + 3, repeat: false },
        { id: first, repeat: true },
        { id: first + 4, repeat: false },
      ],
    )
  },
)

onMysql('a name is not taken because a number of the log is', async (t) => {
  const { db } = await townOf(t)
  const head = await headOf(db)
  await db('change_log').insert({ id: head + 1, topic: 'user', subject: 1 })
  await t.throwsAsync(insertUser(db, user('carol')), { code: 'ER_DUP_ENTRY' })
  t.deepEqual(await findUsersById(db, [3]), [])
  t.is(await insertUser(db, user('bob')), undefined)
})

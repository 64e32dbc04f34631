import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { MessageWriter, MSG_TYPE, migrate, NO_FILE, OutcomePending, openDatabase } from '../../db/index.ts'
import { Faults } from '../support/databases/fault-injection.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import { tempFolder } from '../support/temp-folder.ts'

const onMariadb = process.env.TEST_DATABASE === undefined ? test.skip : test.serial

async function openWriter(t: ExecutionContext, statementTimeout = 4000) {
  const server = process.env.TEST_DATABASE
  const made = server === undefined ? undefined : await newDatabase(server)
  const where = made?.url ?? join(await tempFolder(t), 'chat.db')
  // On a loaded machine a migration may take longer than the statements of a test may.
  const preparing = await openDatabase(where)
  await migrate(preparing)
  await preparing.destroy()
  const db = await openDatabase(where, { statementTimeout })
  const writer = await MessageWriter.open(db, (error) => t.fail(String(error)))
  t.teardown(async () => {
    await writer.close()
    await db.destroy()
    await made?.drop()
  })
  return { db, writer, where }
}

/** The columns of a message in `chatmsg`. */
const columns = (client_id: string) => ({
  ...{ user_id: 1, target_id: 2, msg_type: MSG_TYPE.chat, msg: 'hi', client_id, send_time: 1 },
  ...{ font: '', font_size: 0, hops: 0, color: '' },
})

const chat = (client_id: string) => ({ ...columns(client_id), reply_to: 0, file: NO_FILE, checkedUpTo: -1 })

onMariadb('a batch is committed and its statement reported as interrupted: nobody is told of repeats', async (t) => {
  const { db, writer } = await openWriter(t)
  await writer.store(chat('before'))
  const faults = new Faults(db)
  faults.arm({ at: 0, mode: 'after', code: 'ER_QUERY_INTERRUPTED' })
  const stored = await Promise.all(['a', 'b', 'c'].map((id) => writer.store(chat(id))))
  faults.heal()
  t.is(faults.struck, 1)
  t.deepEqual(
    stored.map(({ repeat }) => repeat),
    [false, false, false],
  )
  t.true((await writer.store(chat('a'))).repeat)
})

onMariadb(
  'an INSERT that still runs on a connection that was given up has no effect after its outcome is told',
  async (t) => {
    const { db, writer, where } = await openWriter(t, 300)
    await writer.store(chat('before'))
    const other = await openDatabase(where)
    const holder = await other.transaction()
    // The writer's INSERT of the same key waits for this one.
    await holder('chatmsg').insert({ ...columns('a'), isRead: 1, isActive: 1, lane: 1 })
    const error = await t.throwsAsync(writer.store(chat('a')), { instanceOf: OutcomePending })
    t.is(await (error as OutcomePending<unknown>).outcome, undefined, 'it is not stored')
    await holder.rollback()
    t.deepEqual(await db('chatmsg').pluck('client_id'), ['before'], 'and not afterwards either')
    t.false((await writer.store(chat('a'))).repeat)
    await other.destroy()
  },
)

test('a read position refused during an outage is written after it, and its reader is notified', async (t) => {
  const { db, writer } = await openWriter(t)
  const faults = new Faults(db)
  const { id } = await writer.store(chat('a'))
  faults.arm({ at: 0, mode: 'outage', code: faults.codes[0] as string })
  const read = { readerId: 2, fromId: 1, isGroup: false, upTo: id }
  const error = await t.throwsAsync(writer.markRead(read, { isWaitedFor: true }), { instanceOf: OutcomePending })
  faults.heal()
  t.true(await (error as OutcomePending<boolean>).outcome)
  t.is((await db('correspondence').first()).read_id, id)
})

onMariadb('a message is reported while a read position of the same commit waits', async (t) => {
  const { writer, where } = await openWriter(t)
  const { id } = await writer.store(chat('a'))
  const other = await openDatabase(where)
  const holder = await other.transaction()
  await holder('correspondence').where({ reader_id: 2, writer_id: 1 }).forUpdate()
  let isMoved = false
  const read = writer
    .markRead({ readerId: 2, fromId: 1, isGroup: false, upTo: id }, { isWaitedFor: true })
    .finally(() => {
      isMoved = true
    })
  // Refused if it waited for the position: that waits for the lock until the time limit of statements.
  t.false((await writer.store(chat('b'))).repeat)
  t.false(isMoved)
  await holder.rollback()
  t.true(await read)
  await other.destroy()
})

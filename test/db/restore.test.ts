import { copyFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import Database from 'better-sqlite3'
import { inspectBackup, openDatabase, readEpoch } from '../../db/index.ts'
import { finishRestore, restoreSqlite } from '../../db/restore-sqlite.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import { openShell } from '../support/processes/shell.ts'
import { tempFolder } from '../support/temp-folder.ts'

const server = process.env.TEST_DATABASE

/** Alice's server in its own process, on the kind of database under test. */
async function openRoom(t: Parameters<typeof openShell>[0]) {
  const shell = await openShell(t)
  const made = server === undefined ? undefined : await newDatabase(server)
  if (made !== undefined) t.teardown(made.drop)
  const env: Record<string, string> = made === undefined ? {} : { CHATCTL_DB: made.url }
  const run = (...args: string[]) => shell.run([...args, '--data', './room', '-o', 'json'], { env })
  const works = async (...args: string[]) => {
    const ran = await run(...args)
    t.is(ran.code, 0, `chatctl ${args.join(' ')}: ${ran.stderr}`)
    return JSON.parse(ran.stdout)
  }
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  return {
    shell,
    where: made?.url ?? join(shell.folder, 'room', 'chat.db'),
    run,
    works,
    serve: () => shell.serve([], { env }),
    say: (text: string) => works('send', '--as', 'alice', 'alice', text),
    /** The texts of Alice's messages, oldest first. */
    texts: async () =>
      (await works('history', 'alice', '--as', 'alice')).map(({ text }: { text: string }) => text) as string[],
  }
}

async function epochOf(where: string): Promise<string> {
  const db = await openDatabase(where)
  try {
    return await readEpoch(db)
  } finally {
    await db.destroy()
  }
}

test.serial('a restore after a crash brings back the state of the backup', async (t) => {
  const room = await openRoom(t)
  const first = await room.serve()
  await room.works('users', 'create', 'alice', '--password-file', 'pw')
  for (const text of ['one', '二 😀']) await room.say(text)
  await room.works('db', 'backup', 'backup')
  for (const text of ['three', 'four', 'five']) await room.say(text)
  const refused = await room.run('db', 'restore', 'backup', '--yes')
  t.is(refused.code, 5, 'refused while the server runs')
  t.regex(refused.stderr, /another server or command uses/)
  await first.stop('SIGKILL')

  const asked = await room.run('db', 'restore', 'backup')
  t.is(asked.code, 2, 'not without --yes')
  t.regex(asked.stderr, /puts backup.* in the place of .*kept under another name/)
  const { setAside } = await room.works('db', 'restore', 'backup', '--yes')
  t.regex(setAside, /before[_-]\d{17}/)

  const again = await room.serve()
  t.deepEqual(await room.texts(), ['one', '二 😀'])
  await room.say('after the restore')
  for (const { check, state, detail } of await room.works('doctor')) t.not(state, 'failed', `${check}: ${detail}`)
  await again.stop()
  await room.works('db', 'backup', 'second')
  await room.works('db', 'restore', 'second', '--yes')
  const last = await room.serve()
  t.deepEqual(
    await room.texts(),
    ['one', '二 😀', 'after the restore'],
    'a backup does not contain the files set aside',
  )
  await last.stop()
})

test.serial('each restore starts a new generation; a restart does not', async (t) => {
  const room = await openRoom(t)
  const epochs: string[] = []
  const look = async () => epochs.push(await epochOf(room.where))
  const start = async () => {
    const server = await room.serve()
    await server.stop()
    await look()
  }
  await start()
  await start()
  t.is(epochs[0], epochs[1])
  await room.works('db', 'backup', 'backup')
  for (let n = 0; n < 2; n++) {
    await room.works('db', 'restore', 'backup', '--yes')
    await start()
  }
  t.is(new Set(epochs).size, 3, 'restored twice from one backup: two generations')
})

test.serial('an invalid or incomplete backup is refused, and no file is changed', async (t) => {
  const room = await openRoom(t)
  await (await room.serve()).stop()
  await room.works('db', 'backup', 'backup')
  const file = (name: string) => join(room.shell.folder, name)
  await writeFile(file('text'), 'hello')
  await copyFile(file('backup'), file('half'))
  await truncate(file('half'), Math.floor((await stat(file('half'))).size / 2))
  const newer = await readFile(file('backup'))
  if (server === undefined) {
    await writeFile(file('newer'), newer)
    const copy = new Database(file('newer'))
    copy.prepare("insert into chatctl_migrations (name, batch) values ('0999_of_tomorrow', 9)").run()
    copy.close()
  } else await writeFile(file('newer'), newer.toString().replace("'0001_original_tables'", "'0999_of_tomorrow'"))
  const cases: [string, RegExp][] = [
    ['nowhere', /there is no file nowhere/],
    ['text', /no backup of a database of chatctl|file is not a database/],
    ['half', /damaged|malformed|cut short|no backup of a database|not a database/],
    ['newer', /made by a newer version of chatctl \(0999_of_tomorrow\)/],
  ]
  for (const [name, why] of cases) {
    const { code, stderr } = await room.run('db', 'restore', name, '--yes')
    t.is(code, 1, name)
    t.regex(stderr, why)
  }
  t.true((await room.works('db', 'status')).upToDate)
})

const onSqlite = server === undefined ? test : test.skip

onSqlite('a server refuses to start on a backup copied over its database after a crash', async (t) => {
  const room = await openRoom(t)
  const first = await room.serve()
  await room.works('users', 'create', 'alice', '--password-file', 'pw')
  await room.works('db', 'backup', 'backup')
  await room.say('after it')
  await first.stop('SIGKILL')
  const folder = join(room.shell.folder, 'room')
  await copyFile(join(room.shell.folder, 'backup'), join(folder, 'chat.db'))
  for (const args of [
    ['serve', '--port', '0'],
    ['db', 'status'],
    ['db', 'backup', 'another'],
  ]) {
    const { code, stderr } = await room.run(...args)
    t.is(code, 1, args.join(' '))
    t.regex(stderr, /put in the place of another file.*chat\.db-wal.*chatctl db restore/, args.join(' '))
  }
  t.true((await stat(join(folder, 'chat.db-wal'))).size > 0, 'nothing was replayed')
  await room.works('db', 'restore', 'backup', '--yes')
  const again = await room.serve()
  t.deepEqual(await room.texts(), [])
  await again.stop()
})

onSqlite('a database file restored from a copy gets a new generation at the next start', async (t) => {
  const room = await openRoom(t)
  await (await room.serve()).stop()
  await copyFile(room.where, join(room.shell.folder, 'copy'))
  const before = await epochOf(room.where)
  await (await room.serve()).stop()
  t.is(await epochOf(room.where), before)
  await copyFile(join(room.shell.folder, 'copy'), room.where)
  const later = await room.serve()
  const { stdout } = await later.stop()
  t.not(await epochOf(room.where), before)
  t.regex(stdout, /"level":"warn".*it gets a new generation/)
})

onSqlite('a restore killed between its renames is finished by the next command or start', async (t) => {
  const folder = await tempFolder(t)
  const where = join(folder, 'chat.db')
  const make = (file: string, text: string) => {
    const db = new Database(file)
    for (const table of ['userinfo', 'chatmsg', 'chatctl_migrations'])
      db.exec(`create table ${table} (id integer primary key, name text)`)
    db.prepare('insert into userinfo (name) values (?)').run(text)
    db.close()
  }
  const nameIn = (file: string) => {
    const db = new Database(file, { readonly: true })
    const name = db.prepare('select name from userinfo').pluck().get()
    db.close()
    return name
  }
  const backup = join(folder, 'backup')
  make(backup, 'backup')
  t.deepEqual(await inspectBackup(backup, where), { accounts: 1, messages: 0 })
  // The states after the copy: killed before any rename, after the first, after the second.
  const stamp = '20260102030405006'
  for (const moved of [0, 1, 2]) {
    make(where, 'old')
    await writeFile(`${where}-wal`, 'its log')
    await copyFile(backup, `${where}.restoring-${stamp}`)
    const aside = `${where}.before-${stamp}`
    for (const part of ['', '-wal'].slice(0, moved)) {
      await copyFile(where + part, aside + part)
      await rm(where + part)
    }
    await finishRestore(where)
    t.is(nameIn(where), 'backup', `after ${moved} renames`)
    t.is(await readFile(`${aside}-wal`, 'utf8'), 'its log')
    t.false((await readdir(folder)).includes('chat.db-wal'))
    t.is(await finishRestore(where), undefined, 'once')
    for (const name of await readdir(folder)) if (name.startsWith('chat.db')) await rm(join(folder, name))
  }
  make(where, 'old')
  t.regex((await restoreSqlite(backup, where)) ?? '', /chat\.db\.before-\d{17}$/)
  t.is(nameIn(where), 'backup')
})

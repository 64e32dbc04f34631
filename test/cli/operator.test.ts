import { chmod, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { openShell } from '../support/processes/shell.ts'

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

test('all files of a data folder are private, whatever the umask; a readable lock file is made private', async (t) => {
  const shell = await openShell(t)
  const folder = join(shell.folder, 'room')
  await mkdir(folder, { mode: 0o700 })
  await writeFile(join(folder, 'lock'), '', { mode: 0o644 })
  const server = await shell.serve()
  for (const file of ['lock', 'chat.db', 'server.key', 'server.secret', 'audit.log', 'generation.json'])
    t.is(await modeOf(join(folder, file)), 0o600, file)
  await server.stop()
})

test('a folder writable by others, and keys readable by them, are refused with a remedy', async (t) => {
  const shell = await openShell(t)
  const folder = join(shell.folder, 'room')
  const first = await shell.serve()
  await first.stop()
  const serve = () => shell.run(['serve', '--data', './room', '--port', '0'])
  await chmod(folder, 0o777)
  let ran = await serve()
  t.is(ran.code, 1)
  t.regex(ran.stderr, /room may be changed by other users.*\(mode 0777\)\nhint: chmod go-w /)
  await chmod(folder, 0o700)
  const key = join(folder, 'server.key')
  await chmod(key, 0o644)
  ran = await serve()
  t.is(ran.code, 1)
  t.regex(ran.stderr, /server\.key may be read by other users.*\(mode 0644\)\nhint: chmod go= /)
  const planted = join(shell.folder, 'planted')
  await writeFile(planted, await readFile(key), { mode: 0o666 })
  await chmod(planted, 0o666)
  await rm(key)
  await symlink(planted, key)
  t.regex((await serve()).stderr, /server\.key may be read by other users/)
})

test('a missing server key is created again, with a warning unless the server is new', async (t) => {
  const shell = await openShell(t)
  const first = await shell.serve()
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  await shell.run(['users', 'create', 'alice', '--password-file', 'pw', '--data', './room'])
  t.notRegex((await first.stop()).stdout, /a new one was created/, 'no warning for a new server')
  await rm(join(shell.folder, 'room', 'server.key'))
  const second = await shell.serve()
  t.not(second.listening.fingerprint, first.listening.fingerprint)
  t.regex(
    (await second.stop()).stdout,
    /"level":"warn".*server\.key.*a new one was created: clients that know the old key/,
  )
})

test('a partial key left by a killed start is created again', async (t) => {
  const shell = await openShell(t)
  await mkdir(join(shell.folder, 'room'), { mode: 0o700 })
  await writeFile(join(shell.folder, 'room', 'server.key.new'), 'AAAA', { mode: 0o600 })
  await (await shell.serve()).stop()
  t.is(Buffer.from(await readFile(join(shell.folder, 'room', 'server.key'), 'utf8'), 'base64').length, 32)
})

test('SIGHUP reopens the renamed audit log, and the server keeps running', async (t) => {
  const shell = await openShell(t)
  const server = await shell.serve()
  const audit = join(shell.folder, 'room', 'audit.log')
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  const create = (name: string) => shell.run(['users', 'create', name, '--password-file', 'pw', '--data', './room'])
  await create('alice')
  await rename(audit, `${audit}.1`)
  server.child.kill('SIGHUP')
  await server.output.prints('the audit log is opened again')
  t.is((await create('bob')).code, 0)
  t.regex(await readFile(`${audit}.1`, 'utf8'), /alice/)
  t.regex(await readFile(audit, 'utf8'), /bob/)
  t.notRegex(await readFile(`${audit}.1`, 'utf8'), /bob/)
  t.is(await modeOf(audit), 0o600)
  const { code, stdout } = await server.stop()
  t.is(code, 0)
  t.regex(stdout, /"stopped"/)
})

test('a data folder held by a frozen server is refused at once', async (t) => {
  const shell = await openShell(t)
  const server = await shell.serve()
  server.child.kill('SIGSTOP')
  for (const args of [
    ['serve', '--port', '0'],
    ['db', 'migrate'],
    ['db', 'drop', '--yes'],
  ]) {
    const { code, stderr } = await shell.run([...args, '--data', './room'])
    t.is(code, 5, args.join(' '))
    t.regex(stderr, /another server or command uses .*room\nhint: stop it first/)
  }
  server.child.kill('SIGCONT')
  await server.stop()
})

test('of two folders with the same database file, the second server is refused', async (t) => {
  const shell = await openShell(t)
  const first = await shell.serve()
  await mkdir(join(shell.folder, 'other'), { mode: 0o700 })
  await symlink(join(shell.folder, 'room', 'chat.db'), join(shell.folder, 'other', 'chat.db'))
  const second = await shell.run(['serve', '--data', './other', '--port', '0'])
  t.is(second.code, 5)
  t.regex(second.stderr, /another server or command uses the database .*room\/chat\.db/)
  await first.stop()
})

test('a failed start changes nothing and reports the reason', async (t) => {
  const shell = await openShell(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  await writeFile(join(shell.folder, 'file'), '')
  const cases: [string[], number, RegExp][] = [
    [['--data', './new', '--port', String(port)], 1, /the address is in use/],
    [['--data', './file/room', '--port', '0'], 1, /cannot make the folder .*file\/room: part of the path is a file/],
    [['--data', '/proc/nope', '--port', '0'], 1, /cannot make the folder \/proc\/nope: .*\nhint: /],
  ]
  for (const [args, code, why] of cases) {
    const ran = await shell.run(['serve', ...args])
    t.is(ran.code, code, ran.stderr)
    t.regex(ran.stderr, why)
  }
  await t.throwsAsync(stat(join(shell.folder, 'new')), { code: 'ENOENT' })
  const env = { CHATCTL_OPTIONS: '{"registration":{"iterations":"many"}}' }
  t.is((await shell.run(['serve', '--data', './new', '--port', '0'], { env })).code, 2, 'a wrong setting')
})

test('a rollback that would delete accounts lists the loss, and needs --all even with --yes', async (t) => {
  const shell = await openShell(t)
  const data = ['--data', './room']
  await (await shell.serve()).stop()
  t.is((await shell.run(['db', 'rollback', ...data])).code, 2, 'of an empty database it only asks')
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  await shell.run(['users', 'create', 'alice', '--password-file', 'pw', ...data])
  const refused = await shell.run(['db', 'rollback', '--yes', ...data])
  t.is(refused.code, 2)
  t.regex(
    refused.stderr,
    /0001_original_tables \(all accounts, friendships, groups and messages: 1 rows\)\nhint: .*--all/,
  )
  t.regex((await shell.run(['users', 'list', ...data])).stdout, /alice/)
})

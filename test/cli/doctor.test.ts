import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import knex from 'knex'
import { SILENT_LOG } from '../../db/silent-log.ts'
import { hasMariadb, newDatabase, startMariadb } from '../support/databases/mariadb.ts'
import { testWhere } from '../support/endurance/rounds.ts'
import { openShell, type Shell } from '../support/processes/shell.ts'

/** Results of `doctor`, by check. */
async function findings(shell: Shell, args: readonly string[], env?: Readonly<Record<string, string>>) {
  const { code, stdout } = await shell.run(['doctor', ...args, '-o', 'json'], env && { env })
  const list: { check: string; state: string; detail: string }[] = JSON.parse(stdout)
  return { code, of: (check: string) => list.find((finding) => finding.check === check) }
}

test('a missing data folder fails if it is named; the default one may be missing', async (t) => {
  const shell = await openShell(t)
  const missing = join(shell.folder, 'nowhere')
  for (const env of [undefined, { CHATCTL_DATA: missing }]) {
    const named = await findings(shell, env ? [] : ['--data', missing], env)
    t.is(named.code, 1)
    t.like(named.of(missing), { state: 'failed' })
    t.regex(named.of(missing)?.detail ?? '', /no such folder.*`chatctl serve --data /)
  }
  t.is((await findings(shell, [])).code, 0)
})

test('with a data folder, a login at another server is tested only if it is named', async (t) => {
  const shell = await openShell(t)
  const room = await shell.serve()
  await shell.serve(['--data', './other'])
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const command of ['register', 'login'])
    await shell.run([command, 'alice', '--server', room.server, '--password-file', 'pw'])
  t.like((await findings(shell, ['--data', './room'])).of('login'), { state: 'ok' })
  const other = await findings(shell, ['--data', './other'])
  t.is(other.code, 0)
  t.like(other.of('login'), { state: 'skipped' })
  t.regex(other.of('login')?.detail ?? '', /"alice" is for another server; --context alice/)
  t.like((await findings(shell, ['--data', './other', '--context', 'alice'])).of('login'), { state: 'ok' })
  await room.stop()
  t.like((await findings(shell, ['--data', './other', '--context', 'alice'])).of('login'), { state: 'failed' })
})

const testOnMariadb = testWhere(
  hasMariadb(),
  'MariaDB is not installed: status without a database, and a wrong database name',
)

testOnMariadb('status reports a lost database, and distinguishes a wrong name from a wrong password', async (t) => {
  t.timeout(120_000)
  const mariadb = await startMariadb()
  t.teardown(() => mariadb.close())
  const { url } = await newDatabase(mariadb.server)
  const root = knex({ client: 'mysql2', log: SILENT_LOG, connection: mariadb.server })
  await root.raw(`create user chat@'%' identified by 'right'`)
  await root.raw(`grant all on ${new URL(url).pathname.slice(1)}.* to chat@'%'`)
  await root.destroy()

  const shell = await openShell(t)
  const room = await shell.serve([], { env: { CHATCTL_DB: url } })
  const status = (...more: string[]) => shell.run(['status', '--data', './room', ...more])
  const running = await status('-o', 'json')
  t.is(running.code, 0)
  t.is(JSON.parse(running.stdout).database, 'ok')

  const opened = (user: string, database: string) => {
    const env = { CHATCTL_DB: `mysql://${user}@127.0.0.1:${mariadb.port}/${database}` }
    return shell.run(['db', 'status', '--data', './room'], { env })
  }
  const wrongName = (await opened('chat:right', 'elsewhere')).stderr
  t.regex(wrongName, /check the database's name in the URL/)
  t.notRegex(wrongName, /password/i)
  t.regex((await opened('chat:wrong', 'elsewhere')).stderr, /check user and password in the URL/)

  await mariadb.stop()
  const gone = await status('-o', 'json')
  t.is(gone.code, 3, gone.stderr)
  t.is(JSON.parse(gone.stdout).database, 'unavailable')
  t.regex(gone.stderr, /the database does not answer/)
  t.regex((await status('-o', 'plain')).stdout, /^database\tunavailable$/m)
  await room.stop()
})

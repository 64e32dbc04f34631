import { chmod, mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { MIGRATIONS } from '../../db/migrations/index.ts'
import { openShell } from '../support/processes/shell.ts'
import { aliceAndBob, json, lines, works } from './alice-and-bob.ts'

/** Commands of the operator: accounts, database, settings, doctor. */

test.serial('another user of the machine cannot use the control socket', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('needs root to become someone else')
  const { shell } = await aliceAndBob(t)
  t.is((await stat(join(shell.folder, 'room', 'control.sock'))).mode & 0o777, 0o600)
  // The folders are made accessible, so that only the socket's own mode refuses.
  for (const folder of ['', 'room', 'home']) await chmod(join(shell.folder, folder), 0o755)
  const nobody = 65_534
  const ran = await shell.run(['send', '--data', './room', '--as', 'alice', 'bob', 'hi'], { uid: nobody })
  t.is(ran.code, 5, ran.stderr)
  t.regex(ran.stderr, /only the user who runs the server may operate it/)
})

test.serial('the operator manages accounts, whether the server runs or not', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const data = ['--data', './room']
  await writeFile(join(shell.folder, 'new.pw'), 'new password')
  await works(t, shell, ['users', 'create', 'ci', ...data, '--role', 'bot', '--password-file', 'new.pw'])
  t.deepEqual(
    json(await works(t, shell, ['users', 'list', ...data, '-o', 'json'])).map(
      ({ user, role, active }: Record<string, unknown>) => [user, role, active],
    ),
    [
      ['alice', 'user', true],
      ['bob', 'user', true],
      ['ci', 'bot', true],
    ],
  )
  await works(t, shell, ['users', 'disable', 'bob', ...data])
  t.is((await shell.run(['whoami', '--context', 'bob'])).code, 4)
  t.is((await shell.run(['send', '--context', 'alice', 'bob', 'hi'])).code, 5)
  await room.stop()
  await works(t, shell, ['users', 'enable', 'bob', ...data])
  await works(t, shell, ['users', 'passwd', 'bob', ...data, '--password-file', 'new.pw'])
  t.is((await shell.run(['users', 'disable', 'nobody', ...data])).code, 5)
  const again = await shell.serve()
  t.is((await shell.run(['login', 'bob', '--server', again.server, '--password-file', 'b.pw'])).code, 4)
  await works(t, shell, ['login', 'bob', '--server', again.server, '--password-file', 'new.pw'])
})

test.serial('the database is seeded, rolled back, migrated and dropped', async (t) => {
  const shell = await openShell(t)
  const room = await shell.serve()
  const data = ['--data', './room']
  t.like(json(await works(t, shell, ['db', 'seed', ...data, '-o', 'json'])), {
    users: ['alice', 'bob', 'carol'],
    friendships: 2,
    groups: ['No.1聊天室'],
    messages: 6,
  })
  t.deepEqual(json(await works(t, shell, ['db', 'seed', ...data, '-o', 'json'])), {
    users: [],
    friendships: 0,
    groups: [],
    messages: 0,
  })
  t.is(json(await works(t, shell, ['friends', 'requests', '--as', 'bob', ...data, '-o', 'json']))[0].user, 'carol')
  t.is(json(await works(t, shell, ['groups', 'members', 'No.1聊天室', '--as', 'bob', ...data, '-o', 'json'])).length, 3)
  t.is(json(await works(t, shell, ['history', 'bob', '--as', 'alice', ...data, '-o', 'json'])).length, 3)
  await room.stop()
  t.is((await shell.run(['db', 'rollback', ...data])).code, 2, 'not without --yes')
  t.is(
    json(await works(t, shell, ['db', 'rollback', ...data, '--yes', '--all', '-o', 'json'])).undone.length,
    Object.keys(MIGRATIONS).length,
  )
  const status = json(await works(t, shell, ['db', 'status', ...data, '-o', 'json']))
  t.deepEqual([status.upToDate, status.pending.length], [false, Object.keys(MIGRATIONS).length])
  t.is(
    json(await works(t, shell, ['db', 'migrate', ...data, '-o', 'json'])).migrated.length,
    Object.keys(MIGRATIONS).length,
  )
  await works(t, shell, ['db', 'drop', ...data, '--yes'])
  t.is((await shell.run(['db', 'status', ...data])).code, 1)
})

test.serial(
  'flags override environment, file and defaults; config show names the source of each setting',
  async (t) => {
    const shell = await openShell(t)
    await writeFile(
      join(shell.folder, 'chatctl.config.yaml'),
      'port: 7001\nhost: 127.0.0.2\nlogLevel: warn\nlimits: { text: 100 }\ndata: ./from-file\n',
    )
    const ran = await shell.run(['config', 'show', '--origin', '-o', 'json', '--host', '127.0.0.3'], {
      env: { CHATCTL_PORT: '7002' },
    })
    const origin = Object.fromEntries(
      json(ran).map(({ setting, value, origin }: Record<string, unknown>) => [setting, [value, origin]]),
    )
    const file = join(shell.folder, 'chatctl.config.yaml')
    t.like(origin, {
      host: ['127.0.0.3', 'flag --host'],
      port: [7002, 'CHATCTL_PORT'],
      logLevel: ['warn', file],
      data: [join(shell.folder, 'from-file'), file],
      migrate: [false, 'default'],
    })
    for (const [name, content] of [
      ['c.toml', 'port = 7003'],
      ['c.yml', 'port: 7003'],
      ['c.ts', 'export default { port: 7003 as number }'],
      ['c.mjs', 'export default { port: 7003 }'],
    ] as const) {
      await writeFile(join(shell.folder, name), content)
      t.is(json(await works(t, shell, ['config', 'show', '--config', name, '-o', 'json'])).port, 7003, name)
    }
    await writeFile(join(shell.folder, 'bad.json'), '{"port": "high", "prot": 1}')
    const bad = await shell.run(['config', 'show', '--config', 'bad.json'])
    t.is(bad.code, 2)
    t.regex(bad.stderr, /bad\.json: there is no setting "prot"/)
    await writeFile(join(shell.folder, 'bad.json'), '{"port": "high"}')
    t.regex(
      (await shell.run(['config', 'show', '--config', 'bad.json'])).stderr,
      /port: .*number.* \(from .*bad\.json\)/,
    )
  },
)

test.serial('the operator broadcasts, and ends the sessions of a user', async (t) => {
  const { shell } = await aliceAndBob(t)
  const data = ['--data', './room']
  const said = await works(t, shell, ['broadcast', ...data, '--id', 'n1', '-', '-o', 'json'], 'down at 6\nup at 7\n')
  t.deepEqual(json(said), { recipients: 2 })
  t.is((await works(t, shell, ['broadcast', ...data, '--to', 'bob', 'for Bob'])).stdout, '1\n')
  t.like(json(await works(t, shell, ['inbox', '--context', 'alice', '--ack', '-o', 'json'])), {
    length: 1,
    0: { kind: 'system', from: 'system', to: 'alice', text: 'down at 6\nup at 7' },
  })
  await works(t, shell, ['broadcast', ...data, '--id', 'n1', 'down at 6\nup at 7'])
  t.is((await works(t, shell, ['inbox', '--context', 'alice'])).stdout, '')

  await works(t, shell, ['send', '--context', 'alice', 'bob', 'chat'])
  const only = ['listen', '--context', 'bob', '--type', 'system', '--count', '3', '-o', 'ndjson']
  const listener = shell.start(only)
  const unread = async () => (await works(t, shell, ['inbox', '--context', 'bob', '-o', 'ndjson'])).stdout
  while (/"kind":"system"/.test(await unread())) t.is(listener.child.exitCode, null)
  t.deepEqual(json(await works(t, shell, ['users', 'kick', 'bob', ...data, '-o', 'json'])), {
    user: 'bob',
    sessions: 1,
  })
  const { code, stdout, stderr } = await listener.done
  t.is(code, 5)
  t.like(JSON.parse(stderr).error, { code: 'refused', failure: 'kicked' })
  t.deepEqual(
    lines({ code, stdout, stderr }).map((line) => JSON.parse(line).text),
    ['down at 6\nup at 7', 'for Bob'],
  )

  t.is((await shell.run(['broadcast', '--context', 'alice', 'hi'])).code, 5)
  t.is((await shell.run(['broadcast', 'hi'], { env: { CHATCTL_CONTEXT: 'alice' } })).code, 5)
  t.is((await shell.run(['broadcast', ...data, '-'], { input: '' })).code, 2)
  t.is((await shell.run(['broadcast', ...data, '--to', '', 'hi'])).code, 2)
  t.is((await shell.run(['broadcast', '--data', './elsewhere', 'hi'])).code, 3)
  await writeFile(join(shell.folder, 'r.pw'), 'root password')
  await works(t, shell, ['users', 'create', 'root', ...data, '--role', 'admin', '--password-file', 'r.pw'])
  const { server } = json(await works(t, shell, ['whoami', '--context', 'alice', '-o', 'json']))
  await works(t, shell, ['login', 'root', '--server', server, '--password-file', 'r.pw'])
  t.is((await works(t, shell, ['broadcast', '--context', 'root', 'from root'])).stdout, '3\n')
})

test.serial('a data folder whose path is too long for a socket is refused before anything is created', async (t) => {
  const shell = await openShell(t)
  const deep = `./${'deep/'.repeat(30)}x`
  const ran = await shell.run(['serve', '--data', deep, '--port', '0'])
  t.is(ran.code, 2)
  t.regex(ran.stderr, /^error: the path of the data folder is too long for its control socket/m)
  await t.throwsAsync(stat(join(shell.folder, 'deep')), { code: 'ENOENT' })
})

test.serial('operator commands use the data folder of the config file in --config', async (t) => {
  const shell = await openShell(t)
  await mkdir(join(shell.folder, 'etc'))
  const settings = ['--config', 'etc/chatctl.yaml']
  await writeFile(join(shell.folder, 'etc', 'chatctl.yaml'), 'data: ../named\nport: 0\n')
  await writeFile(join(shell.folder, 'p.pw'), 'password')
  await works(t, shell, ['users', 'create', 'eve', '--password-file', 'p.pw', ...settings])
  t.true((await stat(join(shell.folder, 'named', 'chat.db'))).isFile())
  const room = await shell.serve(['--data', './named'])
  t.like(json(await works(t, shell, ['status', '-o', 'json', ...settings])), { users: 0 })
  const operator = [
    ['users', 'list'],
    ['plugin', 'list'],
    ['plugin', 'info', 'friends'],
    ['protocol', '--live'],
    ['doctor'],
  ]
  for (const command of [...operator, ['broadcast', 'hello'], ['tap', '--for', '1ms']])
    await works(t, shell, [...command, ...settings])
  await works(t, shell, ['send', '--as', 'eve', 'eve', 'a note', ...settings])
  t.like(json(await works(t, shell, ['inject', 'query_status', '-o', 'json', ...settings])), { type: 'status' })
  t.like(json(await shell.run(['status', '-o', 'json'], { env: { CHATCTL_CONFIG: 'etc/chatctl.yaml' } })), { users: 0 })

  await works(t, shell, ['login', 'eve', '--server', room.server, '--password-file', 'p.pw'])
  const waiting = shell.start(['send', 'eve', '-', '--lines'])
  // The command is logged in and waits for stdin.
  while (json(await works(t, shell, ['status', '-o', 'json', ...settings])).users === 0)
    t.is(waiting.child.exitCode, null)
  waiting.child.kill('SIGINT')
  const { code, stderr } = await waiting.done
  t.is(code, 130, stderr)
})

test.serial('doctor reports faults', async (t) => {
  const { shell } = await aliceAndBob(t)
  const findings = async () =>
    Object.fromEntries(
      json(await shell.run(['doctor', '--data', './room', '-o', 'json'])).map(
        ({ check, state }: Record<string, string>) => [check, state],
      ),
    )
  t.like(await findings(), { node: 'ok', database: 'ok', schema: 'ok', server: 'ok', login: 'ok' })
  const key = join(shell.folder, 'room', 'server.key')
  await chmod(key, 0o644)
  t.is((await findings())[key], 'failed')
})

test.serial('db backup works while the server runs, and never overwrites a file', async (t) => {
  const { shell } = await aliceAndBob(t)
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'keep me'])
  const made = json(await works(t, shell, ['db', 'backup', 'copy.db', '--data', './room', '-o', 'json']))
  t.like(made, { file: 'copy.db' })
  t.regex(
    (await shell.run(['db', 'backup', 'copy.db', '--data', './room'])).stderr,
    /copy\.db exists already: name a new file/,
  )
  await mkdir(join(shell.folder, 'second'))
  await rename(join(shell.folder, 'copy.db'), join(shell.folder, 'second', 'chat.db'))
  const listed = json(await works(t, shell, ['users', 'list', '--data', './second', '-o', 'json']))
  t.deepEqual(
    listed.map(({ user }: { user: string }) => user),
    ['alice', 'bob'],
  )
})

test.serial('an invalid or unreachable database URL is reported without its password', async (t) => {
  const shell = await openShell(t)
  t.is((await shell.run(['serve', '--db', 'postgres://x', '--data', './room'])).code, 2)
  const env = { CHATCTL_DB: 'mysql://chat:secret@127.0.0.1:1/chat' }
  for (const command of [
    ['serve', '--port', '0'],
    ['db', 'status'],
    ['users', 'list'],
  ]) {
    const ran = await shell.run([...command, '--data', './room'], { env })
    t.is(ran.code, 1, ran.stderr)
    t.regex(ran.stderr, /no server answers there/)
    t.notRegex(ran.stderr + ran.stdout, /secret/)
  }
  t.notRegex((await shell.run(['config', 'show', '--origin', '-o', 'json'], { env })).stdout, /secret/)
})

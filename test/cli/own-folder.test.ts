import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openShell, type Shell } from '../support/processes/shell.ts'

/** The user's folder of logins and known servers, and restrictions of the current folder. */

const config = (shell: Shell, ...path: string[]) => join(shell.home, 'config', 'chatctl', ...path)

async function loggedIn(t: ExecutionContext, names: readonly string[] = ['alice']) {
  const shell = await openShell(t)
  const room = await shell.serve()
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const name of names) {
    t.is((await shell.run(['register', name, '--server', room.server, '--password-file', 'pw'])).code, 0)
    t.is((await shell.run(['login', name, '--server', room.server, '--password-file', 'pw'])).code, 0)
  }
  return { shell, room }
}

test('eight concurrent logins to eight servers store every key', async (t) => {
  const shell = await openShell(t)
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  const numbers = Array.from({ length: 8 }, (_, number) => number)
  const rooms = await Promise.all(numbers.map((number) => shell.serve(['--data', `./room-${number}`])))
  for (const { server } of rooms)
    t.is((await shell.run(['register', 'alice', '--server', server, '--password-file', 'pw'])).code, 0)
  for (const { server } of rooms) t.is((await shell.run(['context', 'forget', server])).code, 0)
  const logins = await Promise.all(
    rooms.map(({ server }, number) =>
      shell.run(['login', 'alice', '--server', server, '--password-file', 'pw', '--context', `s${number}`]),
    ),
  )
  for (const { code, stderr } of logins) t.is(code, 0, stderr)
  const listed = JSON.parse((await shell.run(['context', 'list', '-o', 'json'])).stdout)
  t.is(listed.length, 8)
  for (const { keyState, key, server } of listed) {
    t.is(keyState, 'verified')
    t.is(key, rooms.find((room) => room.server === server)?.listening.fingerprint)
  }
  for (const file of await readdir(config(shell, 'servers')))
    t.is((await stat(config(shell, 'servers', file))).mode & 0o777, 0o600)
})

test('keys stored by an earlier version in one file are valid, and can be deleted', async (t) => {
  const { shell, room } = await loggedIn(t)
  const wrong = { key: `SHA256:${'A'.repeat(43)}`, state: 'verified' }
  await shell.run(['context', 'forget', room.server])
  const other = { key: room.listening.fingerprint, state: 'verified' }
  await writeFile(config(shell, 'servers.json'), JSON.stringify({ [room.server]: wrong, 'other:7300': other }))
  t.is((await shell.run(['whoami'])).code, 4)
  t.is((await shell.run(['context', 'forget', room.server])).code, 0)
  t.is((await shell.run(['whoami'])).code, 0)
  t.is((await shell.run(['context', 'forget', 'other:7300'])).code, 0)
})

test('a damaged file is reported with a remedy, and affects nothing else', async (t) => {
  const { shell, room } = await loggedIn(t, ['alice', 'bob'])
  await writeFile(config(shell, 'contexts', 'bob.json'), '')
  const listed = await shell.run(['context', 'list', '-o', 'json'])
  t.is(listed.code, 0)
  t.regex(listed.stderr, /contexts\/bob\.json does not hold a login.*`chatctl context remove bob`/)
  t.is(JSON.parse(listed.stdout).find(({ name }: { name: string }) => name === 'alice').user, 'alice')
  const used = await shell.run(['whoami', '--context', 'bob'])
  t.deepEqual([used.code, /^error: .*bob\.json.*\nhint: .*context remove bob/.test(used.stderr)], [1, true])
  t.is((await shell.run(['context', 'remove', 'bob'])).code, 0)

  // An unreadable key must not count as unknown: any server's key would be accepted.
  await writeFile(config(shell, 'servers', `${encodeURIComponent(room.server)}.json`), '{"key"')
  const refused = await shell.run(['whoami', '--context', 'alice'])
  t.is(refused.code, 1)
  t.regex(refused.stderr, /servers\/.*\.json does not hold the key.*\nhint: `chatctl context forget 127/)
  t.is((await shell.run(['context', 'forget', room.server])).code, 0)
  t.is((await shell.run(['whoami', '--context', 'alice'])).code, 0)
})

test('whoami reports a first contact, stores the key, and accepts --pin', async (t) => {
  const { shell, room } = await loggedIn(t)
  await shell.run(['context', 'forget', room.server])
  const wrong = await shell.run(['whoami', '--pin', `SHA256:${'A'.repeat(43)}`])
  t.is(wrong.code, 4, wrong.stderr)
  const first = await shell.run(['whoami'])
  t.true(first.stderr.includes(`first contact with ${room.server}, whose key is ${room.listening.fingerprint}`))
  t.is((await shell.run(['whoami'])).stderr, '')
})

test('send works with a read-only folder of logins', async (t) => {
  const { shell, room } = await loggedIn(t)
  await shell.run(['context', 'forget', room.server])
  await chmod(shell.folder, 0o755)
  for (const folder of [join(shell.home, 'config'), config(shell), config(shell, 'contexts'), config(shell, 'servers')])
    await chmod(folder, 0o755)
  await chmod(config(shell, 'contexts', 'alice.json'), 0o644)
  await chmod(config(shell, 'current'), 0o644)
  // Root may write everywhere, so the command runs as another user.
  const asNobody = process.getuid?.() === 0 ? { uid: 65_534 } : undefined
  if (asNobody === undefined) await chmod(config(shell, 'servers'), 0o555)
  const sent = await shell.run(['send', 'alice', 'a note'], asNobody)
  if (asNobody === undefined) await chmod(config(shell, 'servers'), 0o755)
  t.is(sent.code, 0, sent.stderr)
  t.regex(sent.stderr, /the key of .* is not kept: cannot write .*permission denied/)
})

test('a login that replaces another one reports it, and has the name of the account', async (t) => {
  const { shell, room } = await loggedIn(t)
  const other = await shell.serve(['--data', './other'])
  await shell.run(['register', 'alice', '--server', other.server, '--password-file', 'pw'])
  const replaced = await shell.run(['login', 'Alice', '--server', other.server, '--password-file', 'pw'])
  t.is(replaced.stdout, 'alice\n')
  t.true(replaced.stderr.includes(`context "alice" was alice on ${room.server}, and is alice on ${other.server} now`))
  const again = await shell.run(['login', 'alice', '--server', other.server, '--password-file', 'pw'])
  t.is(again.stderr, '')
})

/** Every command, with arguments that make it read its settings. */
const COMMANDS = [
  'status',
  'inbox',
  'send bob hi',
  'whoami',
  'config show',
  'doctor',
  'users list',
  'users create eve --password-file pw',
  'contacts',
  'listen --for 1ms',
  'tap --for 1ms',
  'protocol',
  'protocol --live',
  'context list',
  'db status',
  'db migrate',
  'db seed',
  'plugin list',
  'broadcast hi',
  'inject ping',
  'bench --for 1ms',
  'register eve --password-file pw',
  'login eve --password-file pw',
  'serve --port 0',
  '__complete users ',
]

test('no file in the current folder makes a command run code or use another server', async (t) => {
  const shell = await openShell(t)
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  await writeFile(
    join(shell.folder, 'evil.ts'),
    `import { writeFileSync } from 'node:fs'; writeFileSync('RAN', ''); export default { name: 'evil', setup() {} }`,
  )
  await mkdir(join(shell.folder, 'node_modules', 'evil'), { recursive: true })
  await symlink('../../evil.ts', join(shell.folder, 'node_modules', 'evil', 'i.ts'))
  for (const [name, content] of [
    ['chatctl.config.json', '{"extends":"./evil.ts","data":"./evil-room"}'],
    ['chatctl.config.yaml', 'extends: evil/i.ts\n'],
    ['chatctl.config.toml', 'extends = "./evil.ts"\n'],
    ['chatctl.config.ts', `import '../evil.ts'; export default {}`],
    ['.chatctlrc', 'extends=./evil.ts'],
    ['package.json', '{"chatctl":{"extends":"./evil.ts"}}'],
  ] as const)
    await writeFile(join(shell.folder, name), content)
  for (const command of COMMANDS) {
    await shell.run(command.split(' '))
    t.deepEqual(
      (await readdir(shell.folder)).filter((name) => /RAN|evil-room/.test(name)),
      [],
      command,
    )
  }
  const refused = await shell.run(['status'])
  t.is(refused.code, 2)
  t.regex(refused.stderr, /^error: which server: that of chatctl\.config\.json.*\nhint: name it with --config chatctl/)
  t.regex((await shell.run(['serve'])).stderr, /chatctl\.config\.json: there is no setting "extends"/)
})

test('serve loads no plugin of a config file that was not named by --config', async (t) => {
  const shell = await openShell(t)
  await writeFile(
    join(shell.folder, 'evil.js'),
    "import fs from 'node:fs'; fs.writeFileSync('RAN', ''); export default {}",
  )
  await writeFile(join(shell.folder, 'chatctl.config.json'), '{"plugins":["./evil.js"]}')
  const { code, stderr } = await shell.run(['serve', '--data', './room', '--port', '0'])
  t.is(code, 2)
  t.regex(
    stderr,
    /chatctl\.config\.json names plugins.*\nhint: if it is yours, name it: --config \.\/chatctl\.config\.json/,
  )
  t.false((await readdir(shell.folder)).includes('RAN'))
})

test('without a home folder, the current folder is not used in its place', async (t) => {
  const shell = await openShell(t)
  const env = { HOME: '', XDG_CONFIG_HOME: '', XDG_DATA_HOME: '' }
  for (const command of [['whoami'], ['context', 'list'], ['status'], ['users', 'list']]) {
    const { code, stderr } = await shell.run(command, { env })
    t.deepEqual([code, /neither HOME nor XDG_\w+ is an absolute path/.test(stderr)], [2, true], stderr)
  }
  t.deepEqual(await readdir(shell.folder), ['home'])
})

test('the compile cache of plugins is never in a folder that others can write', async (t) => {
  const shell = await openShell(t)
  await mkdir(join(shell.folder, 'tmp'))
  await writeFile(join(shell.folder, 'p.ts'), `export default { name: 'p', setup() {} } as object\n`)
  const { code, stderr } = await shell.run(['plugin', 'check', './p.ts'], {
    env: { TMPDIR: join(shell.folder, 'tmp') },
  })
  t.is(code, 0, stderr)
  t.deepEqual(await readdir(join(shell.folder, 'tmp')), [])
})

test('system errors name the failed operation and the option for another folder', async (t) => {
  const shell = await openShell(t)
  await writeFile(join(shell.folder, 'file'), '')
  const says = async (args: readonly string[], what: RegExp, env = {}) => {
    const { code, stderr } = await shell.run(args, { env })
    t.true(code === 1 || code === 2, stderr)
    t.regex(stderr, what)
  }
  await says(['status', '--data', './file'], /^error: .*\/file is not a folder\nhint: name one with --data/)
  await says(['config', 'show', '--config', 'gone.json'], /cannot read the config file .*there is no such file/)
  await says(['login', 'alice', '--password-file', 'gone'], /password file gone: there is no such file/)
  await says(['serve', '--port', '0', '--data', './file'], /file: a file with that name is in the way\nhint: .*--data/)
  await symlink('loop', join(shell.folder, 'loop'))
  await says(['send', 'bob', 'hi', '--context', 'x'], /^error: cannot read .*its symbolic links go in a circle$/m, {
    XDG_CONFIG_HOME: join(shell.folder, 'loop'),
  })
  t.is(await readFile(join(shell.folder, 'file'), 'utf8'), '')
})

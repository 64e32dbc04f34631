import { once } from 'node:events'
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { program } from '../../cli/program.ts'
import { MIGRATIONS } from '../../db/migrations/index.ts'
import { openShell, type Ran, type Shell } from '../support/processes/shell.ts'
import { tempFolder } from '../support/temp-folder.ts'

const json = ({ stdout }: Ran) => JSON.parse(stdout)
const lines = ({ stdout }: Ran) => stdout.split('\n').filter((line) => line !== '')

async function works(t: ExecutionContext, shell: Shell, args: readonly string[], input?: string): Promise<Ran> {
  const ran = await shell.run(args, input === undefined ? {} : { input })
  t.is(ran.code, 0, `chatctl ${args.join(' ')}: ${ran.stderr}`)
  return ran
}

/** A server with Alice and Bob registered and logged in, contexts named after them. */
async function aliceAndBob(t: ExecutionContext, args: readonly string[] = []) {
  const shell = await openShell(t)
  const room = await shell.serve(args)
  await writeFile(join(shell.folder, 'a.pw'), 'correct horse')
  await writeFile(join(shell.folder, 'b.pw'), 'battery staple\n')
  const at = ['--server', room.server]
  await works(t, shell, ['register', 'alice', ...at, '--nickname', '小鹰', '--password-file', 'a.pw'])
  await works(t, shell, ['register', 'bob', ...at, '--password-file', 'b.pw'])
  await works(t, shell, ['login', 'alice', ...at, '--password-file', 'a.pw'])
  await works(t, shell, ['login', 'bob', ...at, '--password-file', 'b.pw'])
  return { shell, room }
}

test.serial('two people chat from the shell', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  t.like(room.listening, { event: 'listening', host: '127.0.0.1', data: join(shell.folder, 'room') })
  t.regex(room.listening.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/)

  const sent = await works(t, shell, ['send', '--context', 'alice', 'bob', '你好, Bob'])
  t.regex(sent.stdout, /^\d+\n$/)
  const [unread, ...noMore] = lines(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'ndjson'])).map((line) =>
    JSON.parse(line),
  )
  t.deepEqual(noMore, [])
  t.like(unread, { id: Number(sent.stdout), from: 'alice', to: 'bob', text: '你好, Bob', kind: 'chat', unread: true })
  t.is(new Date(unread.sentAt).toISOString(), unread.sentAt)

  t.is(lines(await works(t, shell, ['send', '--context', 'alice', 'bob', '-', '--lines'], 'one\ntwo\n')).length, 2)
  const heard = await works(t, shell, ['listen', '--context', 'bob', '--count', '2', '--for', '10s', '-o', 'ndjson'])
  t.deepEqual(
    lines(heard).map((line) => JSON.parse(line).text),
    ['你好, Bob', 'one'],
  )
  const rest = await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json', '--ack'])
  t.deepEqual(
    json(rest).map(({ text }: { text: string }) => text),
    ['two'],
  )
  t.deepEqual(json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json'])), [])

  const operator = await works(t, shell, ['send', '--data', './room', '--as', 'alice', 'bob', 'from the operator'])
  const injected = json(
    await works(t, shell, [
      'inject',
      '--data',
      './room',
      '--as',
      'alice',
      'send_message',
      'to=bob',
      'text=any type, by its fields',
      '-o',
      'json',
    ]),
  )
  t.like(injected, { type: 'message_stored', id: Number(operator.stdout) + 1, repeat: false })
  t.like(json(await works(t, shell, ['db', 'status', '--data', './room', '-o', 'json'])), {
    upToDate: true,
    pending: [],
  })

  const ids = async (who: string, other: string) =>
    json(await works(t, shell, ['history', '--context', who, other, '-o', 'json'])).map(({ id }: { id: number }) => id)
  t.is((await ids('bob', 'alice')).length, 5)
  t.deepEqual(await ids('bob', 'alice'), await ids('alice', 'bob'))

  const audit = (await readFile(join(shell.folder, 'room', 'audit.log'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.like(audit[0], { event: 'act_as', by: 'operator', as: 'alice' })
  t.like(audit[1], { event: 'send_message', by: 'operator', as: 'alice', to: 'bob', id: Number(operator.stdout) })
  t.notRegex(JSON.stringify(audit), /from the operator/)

  const stopped = await room.stop()
  t.is(stopped.code, 0, stopped.stderr)
  t.is(stopped.stderr, '')
  for (const line of lines(stopped)) t.notThrows(() => JSON.parse(line), line)
})

test.serial(
  'a listener hears what is sent while it listens; the server is killed and comes back in between',
  async (t) => {
    const { shell, room } = await aliceAndBob(t)
    const port = room.server.split(':')[1] ?? ''
    const listener = shell.start(['listen', '--context', 'bob', '--count', '2', '--for', '60s', '-o', 'ndjson'])
    await works(t, shell, ['send', '--context', 'alice', 'bob', 'first'])
    await listener.output.line()
    room.child.kill('SIGKILL')
    await once(room.child, 'exit')
    await shell.serve(['--port', port])
    await works(t, shell, ['send', '--context', 'alice', 'bob', 'second'])
    const { code, stdout } = await listener.done
    t.is(code, 0)
    t.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).text),
      ['first', 'second'],
    )
  },
)

test.serial('each failure has its exit code and one clear line', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const at = ['--server', room.server]
  await writeFile(join(shell.folder, 'wrong.pw'), 'wrong')
  const free = createServer()
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
  const mute = `127.0.0.1:${(free.address() as { port: number }).port}`
  const cases: [args: string[], code: number, message: RegExp][] = [
    [['login', 'alice', ...at, '--password-file', 'wrong.pw'], 4, /^error: wrong name or password$/m],
    [['login', 'nobody', ...at, '--password-file', 'a.pw'], 4, /^error: wrong name or password$/m],
    [['login', 'alice', ...at], 2, /^error: no password\nhint: give --password-file/m],
    [
      ['login', 'alice', ...at, '--password-file', 'missing.pw'],
      2,
      /^error: cannot read the password file missing.pw/m,
    ],
    [['register', 'bob', ...at, '--password-file', 'b.pw'], 5, /^error: the user name is taken$/m],
    [['register', 'Böb', ...at, '--password-file', 'b.pw'], 5, /^error: a user name is 1 to 32 of a-z/m],
    [['send', '--context', 'alice', 'nobody', 'hi'], 5, /^error: there is no user "nobody"$/m],
    [['send', '--context', 'nobody', 'bob', 'hi'], 4, /^error: there is no context "nobody"$/m],
    [['send', '--context', 'alice', 'bob', ''], 2, /^error: the text is empty$/m],
    [['inbox', '--context', 'alice', '--ack', '--after', '3'], 2, /^error: --ack marks everything/m],
    [['history', '--context', 'alice'], 2, /^error: name a user, or a group with --group$/m],
    [
      ['login', 'alice', '--server', '127.0.0.1:1', '--password-file', 'a.pw'],
      3,
      /^error: cannot reach 127.0.0.1:1: nothing listens there$/m,
    ],
    [
      ['login', 'alice', '--server', 'no.such.host.invalid', '--password-file', 'a.pw', '--timeout', '5s'],
      3,
      /^error: cannot reach/m,
    ],
    [['login', 'alice', '--server', 'a b', '--password-file', 'a.pw'], 2, /^error: "a b" is not HOST:PORT$/m],
    [
      ['login', 'alice', '--server', mute, '--password-file', 'a.pw', '--timeout', '300ms'],
      6,
      /^error: the server did not answer in time$/m,
    ],
    [['listen', '--context', 'bob', '--count', '1', '--for', '200ms'], 6, /^$/],
    [['listen', '--context', 'bob', '--for', '200ms'], 0, /^$/],
    [['listen', '--for', 'soon'], 2, /^error: "soon" is not a time such as 10s/m],
    [['listen', '--count', 'many'], 2, /^error: --count takes a whole number/m],
    [['status', '--data', './nowhere'], 3, /^error: no server runs on/m],
    [['send', '--as', 'nobody', '--data', './room', 'bob', 'hi'], 5, /^error: there is no user "nobody"$/m],
    [['inject', '--context', 'alice', 'no_such_type'], 2, /^error: this server knows no message "no_such_type"$/m],
    [
      ['inject', '--context', 'alice', 'send_message', 'too=bob'],
      2,
      /^error: send_message has no field "too"\nhint: its fields: to, text, \[clientId\]/m,
    ],
    [['inject', '--context', 'alice', 'send_message', 'to=bob'], 2, /^error: send_message needs text=…$/m],
    [['inject', '--context', 'alice', 'query_users'], 5, /^error: this connection may not send that message$/m],
    [['protocol', 'nonsense'], 2, /^error: there is no message "nonsense"$/m],
    [['nonsense'], 2, /^error: /m],
    [[], 2, /^error: say what to do/m],
    [['send', '--frm', 'x'], 2, /^error: /m],
    [['serve', '--port', '99999'], 2, /^error: --port takes a whole number from 0 to 65535$/m],
    [['serve', '--data', './room', '--port', '0'], 5, /^error: another server or command uses .*room$/m],
    [
      ['serve', '--data', './other', '--port', room.server.split(':')[1] ?? ''],
      1,
      /^error: cannot listen on .*: the address is in use$/m,
    ],
    [
      ['serve', '--data', './other', '--host', '0.0.0.0', '--limits', 'off'],
      2,
      /^error: --limits off is for loopback only/m,
    ],
    [['db', 'status', '--data', './nowhere'], 1, /^error: there is no database in/m],
    [['db', 'rollback', '--data', './room', '--yes'], 5, /^error: another server or command uses .*room$/m],
  ]
  for (const [args, code, message] of cases) {
    const ran = await shell.run(args)
    const what = `chatctl ${args.join(' ')}\n${ran.stderr}${ran.stdout}`
    t.is(ran.code, code, what)
    t.regex(ran.stderr, message, what)
    t.true(ran.stderr.split('\n').length <= 3, what)
  }
  free.close()
})

test.serial('with -o json an error is an object with the name of its code', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  await writeFile(join(shell.folder, 'wrong.pw'), 'wrong')
  const refused = await shell.run([
    'login',
    'alice',
    '--server',
    room.server,
    '--password-file',
    'wrong.pw',
    '-o',
    'json',
  ])
  t.like(JSON.parse(refused.stderr).error, { code: 'authentication', exit: 4, failure: 'login_failed' })
  const unreachable = await shell.run([
    'login',
    'alice',
    '--server=127.0.0.1:1',
    '--password-file',
    'a.pw',
    '--output=ndjson',
  ])
  t.like(JSON.parse(unreachable.stderr).error, { code: 'unreachable', exit: 3 })
  t.is(refused.stdout + unreachable.stdout, '')
})

test.serial('Ctrl-C ends a listener with 130, and what it had not printed stays unread', async (t) => {
  const { shell } = await aliceAndBob(t)
  const listener = shell.start(['listen', '--context', 'bob'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'hello'])
  await listener.output.line()
  listener.child.kill('SIGINT')
  t.is((await listener.done).code, 130)
})

test.serial('a reader that goes away ends the command quietly; what it did not take stays unread', async (t) => {
  const { shell } = await aliceAndBob(t)
  const many = Array.from({ length: 50 }, (_, n) => `${n} ${'x'.repeat(8000)}`).join('\n')
  await works(t, shell, ['send', '--context', 'alice', 'bob', '-', '--lines'], many)
  const listener = shell.start(['listen', '--context', 'bob', '-o', 'ndjson'])
  await listener.output.line()
  listener.child.stdout?.destroy()
  t.is((await listener.done).code, 0)
  const unread = lines(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'ndjson']))
  t.true(unread.length > 0 && unread.length < 50, String(unread.length))
})

test.serial('no control byte of a name or a message reaches the output', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const evil = '\u001b[2J\u001b]52;c;aGk=\u0007 \u009b31m\r\n\u202eabc\u2066\u2028\u200fx\u007f\ttab'
  await works(t, shell, ['send', '--context', 'alice', 'bob', '-'], evil)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/
  for (const format of ['table', 'plain', 'json', 'ndjson']) {
    for (const command of [['inbox'], ['history', 'alice'], ['listen', '--no-ack', '--count', '1', '--for', '10s']]) {
      const { stdout } = await works(t, shell, [...command, '--context', 'bob', '-o', format])
      t.notRegex(stdout, dangerous, `${command[0]} ${format}`)
      t.regex(stdout, /\\u001b/)
      if (/json/.test(format)) {
        const [record] = [
          JSON.parse(format === 'json' && command[0] !== 'listen' ? stdout : (stdout.split('\n')[0] ?? '')),
        ].flat()
        t.is(record.text, evil, 'JSON keeps the text')
      }
    }
  }
  const odd = await shell.run(['send', '--context', 'alice', 'x\u001b[31m', 'hi'])
  t.notRegex(odd.stderr, dangerous)
  t.notRegex((await room.stop()).stdout, dangerous)
})

test.serial('words that look like options, a lone dash, and numbers stay what they are', async (t) => {
  const { shell } = await aliceAndBob(t)
  await works(t, shell, ['send', '--context', 'alice', 'bob', '--', '-n is no option'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', '007'])
  await works(t, shell, ['send', '--context', 'alice', 'bob', '-'], 'two\nlines\n')
  await works(t, shell, ['send', '--context', 'alice', 'bob'], 'piped')
  const texts = json(await works(t, shell, ['inbox', '--context', 'bob', '-o', 'json'])).map(
    ({ text }: { text: string }) => text,
  )
  t.deepEqual(texts, ['-n is no option', '007', 'two\nlines', 'piped'])
})

test.serial('sent again with the same --id, a message is stored once', async (t) => {
  const { shell } = await aliceAndBob(t)
  const send = () =>
    works(t, shell, ['send', '--context', 'alice', 'bob', 'build 7 broke', '--id', 'build-7', '-o', 'json'])
  const [first, second] = [json(await send()), json(await send())]
  t.deepEqual(second, { ...first, repeat: true })
})

test.serial('contexts: listed, selected, shown, forgotten; their files are private', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const list = json(await works(t, shell, ['context', 'list', '-o', 'json']))
  t.like(list, { 0: { name: 'alice', selected: false, keyState: 'verified' }, 1: { name: 'bob', selected: true } })
  await works(t, shell, ['context', 'use', 'alice'])
  t.like(json(await works(t, shell, ['whoami', '-o', 'json'])), {
    user: 'alice',
    nickname: '小鹰',
    role: 'user',
    server: room.server,
  })
  t.like(json(await shell.run(['whoami', '-o', 'json'], { env: { CHATCTL_CONTEXT: 'bob' } })), { user: 'bob' })
  const file = await stat(join(shell.home, 'config', 'chatctl', 'contexts', 'alice.json'))
  t.is(file.mode & 0o777, 0o600)
  await works(t, shell, ['logout'])
  t.is((await shell.run(['whoami'])).code, 4)
  t.is((await shell.run(['context', 'use', '../../etc'])).code, 2)
})

test.serial('a changed server key is refused, nothing is sent, and forgetting the old one helps', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  await room.stop()
  const port = room.server.split(':')[1] ?? ''
  const other = await shell.serve(['--data', './another', '--port', port])
  t.is(other.server, room.server)
  for (const args of [
    ['whoami'],
    ['send', 'bob', 'hi'],
    ['login', 'alice', '--server', room.server, '--password-file', 'a.pw'],
  ]) {
    const ran = await shell.run(args)
    t.is(ran.code, 4, args.join(' '))
    t.regex(
      ran.stderr,
      /the server shows the key SHA256:.*, not the pinned SHA256:.*\nhint: someone may be in the middle/,
    )
  }
  await works(t, shell, ['context', 'forget', room.server])
  t.is((await shell.run(['login', 'alice', '--server', room.server, '--password-file', 'a.pw'])).code, 4)
  const pinned = await shell.run([
    'register',
    'alice',
    '--server',
    room.server,
    '--password-file',
    'a.pw',
    '--pin',
    room.listening.fingerprint,
  ])
  t.is(pinned.code, 4)
})

test.serial('another user of the machine cannot use the control socket', async (t) => {
  if (process.getuid?.() !== 0) return t.pass('needs root to become someone else')
  const { shell } = await aliceAndBob(t)
  t.is((await stat(join(shell.folder, 'room', 'control.sock'))).mode & 0o777, 0o600)
  // The folders are opened up, so that only the socket's own permission is left to refuse.
  for (const folder of ['', 'room', 'home']) await chmod(join(shell.folder, folder), 0o755)
  const nobody = 65_534
  const ran = await shell.run(['send', '--data', './room', '--as', 'alice', 'bob', 'hi'], { uid: nobody })
  t.is(ran.code, 5, ran.stderr)
  t.regex(ran.stderr, /only the user who runs the server may operate it/)
})

test.serial('accounts are run by the operator, whether the server runs or not', async (t) => {
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

test.serial('the database: seeded, rolled back, migrated, dropped', async (t) => {
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

test.serial('settings: flags over environment over file over defaults, and where each came from', async (t) => {
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
  t.regex((await shell.run(['config', 'show', '--config', 'bad.json'])).stderr, /port: .*number.* \(from .*bad\.json\)/)
})

test.serial('a plugin of one’s own: loaded with --plugin, reached with inject, seen by listen', async (t) => {
  const polls = new URL('../../../examples/polls/index.ts', import.meta.url).pathname
  const { shell } = await aliceAndBob(t, ['--plugin', polls])
  const listener = shell.start([
    'listen',
    '--context',
    'bob',
    '--type',
    'poll_created',
    '--count',
    '1',
    '--for',
    '30s',
    '-o',
    'ndjson',
  ])
  const ask = ['inject', '--context', 'alice', 'create_poll', 'question=Tea?', '-o', 'json']
  // Bob may still be logging in: Alice asks until he has heard it.
  let polled = json(await works(t, shell, ask))
  t.like(polled, { type: 'poll_created', by: 'alice', question: 'Tea?' })
  while (listener.child.exitCode === null) polled = json(await works(t, shell, ask))
  t.like(JSON.parse((await listener.done).stdout), { type: 'poll_created', by: 'alice', question: 'Tea?' })
  const keyed = json(await works(t, shell, [...ask, '--key', 'once']))
  t.deepEqual(json(await works(t, shell, [...ask, '--key', 'once'])), keyed)
  t.not(keyed.poll, polled.poll)
  const status = json(await works(t, shell, ['status', '--data', './room', '-o', 'json']))
  t.truthy(status.plugins.find(({ name }: { name: string }) => name === 'polls'))
  const live = json(await works(t, shell, ['protocol', '--live', '--data', './room', '-o', 'json']))
  t.like(
    live.find(({ name }: { name: string }) => name === 'create_poll'),
    { type: 1000, allow: 'user', reply: 'poll_created' },
  )
  t.is((await shell.run(['inject', '--context', 'alice', 'create_poll', 'question='])).code, 2)
  const { poll } = polled
  await works(t, shell, ['inject', '--context', 'bob', 'vote', `poll=${poll}`, 'choice=yes'])
  const closed = await works(t, shell, ['inject', '--context', 'alice', 'close_poll', `poll=${poll}`, '-o', 'json'])
  t.like(json(closed), { type: 'poll_closed', poll, question: 'Tea?', result: [{ choice: 'yes', votes: 1 }] })
})

test.serial('the echo bot of the README answers', async (t) => {
  const { shell, room } = await aliceAndBob(t)
  const { stdout: key } = await works(t, shell, ['users', 'create', 'echo', '--bot', '--data', './room'])
  const bot = new URL('../../../examples/echo-bot.ts', import.meta.url).pathname
  const running = shell.start(['bot', 'run', bot, '--server', room.server], { env: { CHATCTL_BOT_KEY: key.trim() } })
  await running.output.says(/the bot has started/)
  await works(t, shell, ['send', '--context', 'alice', 'echo', 'is anybody there?'])
  const heard = await works(t, shell, ['listen', '--context', 'alice', '--count', '1', '--for', '30s', '-o', 'json'])
  t.like(json(heard), { from: 'echo', text: 'is anybody there?' })
})

test.serial('the plugin of docs/PLUGINS.md works as it stands there', async (t) => {
  const document = await readFile(new URL('../../../docs/PLUGINS.md', import.meta.url), 'utf8')
  const [, source = ''] = /```ts\n([\s\S]*?)```/.exec(document) ?? []
  const file = join(await tempFolder(t), 'counter.ts')
  await writeFile(file, source)
  const { shell } = await aliceAndBob(t, ['--plugin', file])
  for (const times of [1, 2])
    t.deepEqual(json(await works(t, shell, ['inject', 'count', 'word=hello', '-o', 'json'])), {
      type: 'counted',
      times,
    })
  const refused = await shell.run(['inject', 'count', 'word=forbidden', '-o', 'json'])
  t.like(JSON.parse(refused.stderr).error, { exit: 5, failure: 'counter.forbidden', message: 'bob, not that one' })
})

test.serial('friends from the shell: asked, accepted, listed, removed', async (t) => {
  const { shell } = await aliceAndBob(t)
  const friends = (...args: string[]) => works(t, shell, ['friends', ...args])
  t.like(json(await friends('add', 'bob', '--context', 'alice', '--note', 'hello', '-o', 'json')), {
    user: 'bob',
    done: 'asked',
  })
  t.like(json(await friends('requests', '--context', 'bob', '-o', 'json')), {
    0: { user: 'alice', incoming: true, note: 'hello' },
  })
  t.is((await shell.run(['friends', 'add', 'bob', '--context', 'alice'])).code, 5)
  await friends('accept', 'alice', '--context', 'bob')
  t.like(json(await friends('list', '--as', 'alice', '--data', './room', '-o', 'json')), {
    0: { user: 'bob', online: false },
  })
  await friends('remove', 'bob', '--context', 'alice')
  await friends('block', 'bob', '--context', 'alice')
  t.deepEqual(json(await friends('blocked', '--context', 'alice', '-o', 'json')), [{ user: 'bob', id: 2 }])
  const refused = await shell.run(['send', '--context', 'bob', 'alice', 'hi'])
  t.is(refused.code, 5)
  t.regex(refused.stderr, /^error: this user takes nothing from you$/m)
  await friends('unblock', 'bob', '--context', 'alice')
})

test.serial('a group from the shell: made, joined, written to, read', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  await as('alice', 'groups', 'create', '值班', '--invite-only')
  t.is((await shell.run(['groups', 'join', '值班', '--context', 'bob'])).code, 5)
  await as('alice', 'groups', 'invite', '值班', 'bob')
  await as('bob', 'groups', 'join', '值班')
  const sent = await as('alice', 'send', '--group', '值班', 'build broke')
  t.like(json(await as('bob', 'groups', 'list', '-o', 'json')), {
    0: { group: '值班', role: 'member', members: 2, unread: 1 },
  })
  const heard = json(await as('bob', 'listen', '--count', '1', '--for', '30s', '-o', 'json'))
  t.like(heard, { id: Number(sent.stdout), kind: 'group', from: 'alice', group: '值班', text: 'build broke' })
  t.false('to' in heard)
  t.is(json(await as('bob', 'history', '--group', '值班', '-o', 'json')).length, 1)
  t.deepEqual(json(await as('bob', 'inbox', '-o', 'json')), [])
  await as('alice', 'groups', 'role', '值班', 'bob', 'admin')
  await as('bob', 'groups', 'rename', '值班', 'on call')
  t.like(json(await as('alice', 'groups', 'members', 'on call', '-o', 'json')), { 1: { user: 'bob', role: 'admin' } })
  await as('alice', 'groups', 'kick', 'on call', 'bob')
  await as('alice', 'groups', 'dissolve', 'on call')
  t.is((await shell.run(['send', '--context', 'alice', '--group', 'on call', 'hi'])).code, 5)
  t.is((await shell.run(['send', '--context', 'alice', '--group', 'x', 'bob', 'hi'])).code, 2)
})

test.serial('an operator speaks to everyone, and ends the sessions of Bob', async (t) => {
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

test.serial('a message is recalled from the shell, by its sender only', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  const id = (await as('alice', 'send', 'bob', 'oops')).stdout.trim()
  t.is((await shell.run(['recall', id, '--context', 'bob'])).code, 5)
  t.is((await shell.run(['recall', 'oops', '--context', 'alice'])).code, 2)
  t.deepEqual(json(await as('alice', 'recall', id, '-o', 'json')), { id: Number(id), done: 'recalled' })
  t.deepEqual(json(await as('bob', 'inbox', '-o', 'json')), [])
  const second = (await as('alice', 'send', 'bob', 'again')).stdout.trim()
  await works(t, shell, ['recall', second, '--data', './room', '--as', 'alice'])
  t.deepEqual(json(await as('bob', 'history', 'alice', '-o', 'json')), [])
})

test.serial(
  'history is searched from the shell: everywhere, with one user, in a group, through all pages',
  async (t) => {
    const { shell } = await aliceAndBob(t, ['--limits', 'searchRows=4'])
    const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
    const found = async (...args: string[]) =>
      json(await as('bob', 'history', '-o', 'json', ...args)).map(({ text }: { text: string }) => text)
    await as('alice', 'groups', 'create', 'ops')
    await as('bob', 'groups', 'join', 'ops')
    await as('alice', 'send', 'bob', 'Rechnung für ÄPFEL, 50%')
    await as('alice', 'send', '--group', 'ops', 'äpfel für alle')
    await works(t, shell, ['send', '--context', 'bob', 'alice', '-', '--lines'], `${'no fruit\n'.repeat(6)}`)
    await as('bob', 'send', 'alice', 'danke für die Äpfel')
    t.deepEqual(await found('--search', 'äpfel'), ['Rechnung für ÄPFEL, 50%', 'äpfel für alle', 'danke für die Äpfel'])
    t.deepEqual(await found('alice', '--search', 'äpfel', '--limit', '1'), ['danke für die Äpfel'])
    t.deepEqual(await found('alice', '--search', '50%'), ['Rechnung für ÄPFEL, 50%'])
    t.deepEqual(await found('--group', 'ops', '--search', 'ÄPFEL'), ['äpfel für alle'])
    t.deepEqual(await found('--search', 'birnen'), [])
    for (const wrong of [['--search', ''], ['alice', '--group', 'ops', '--search', 'x'], []])
      t.is((await shell.run(['history', '--context', 'bob', ...wrong])).code, 2, wrong.join(' '))
  },
)

test.serial('a data folder too deep for a socket is refused before anything is made', async (t) => {
  const shell = await openShell(t)
  const deep = `./${'deep/'.repeat(30)}x`
  const ran = await shell.run(['serve', '--data', deep, '--port', '0'])
  t.is(ran.code, 2)
  t.regex(ran.stderr, /^error: the path of the data folder is too long for its control socket/m)
  await t.throwsAsync(stat(join(shell.folder, 'deep')), { code: 'ENOENT' })
})

test.serial('commands of the operator take the data folder of the config file that is named', async (t) => {
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
  // It is logged in, and then waits for a line that does not come.
  while (json(await works(t, shell, ['status', '-o', 'json', ...settings])).users === 0)
    t.is(waiting.child.exitCode, null)
  waiting.child.kill('SIGINT')
  const { code, stderr } = await waiting.done
  t.is(code, 130, stderr)
})

test.serial('doctor finds what is wrong', async (t) => {
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

/** Names of all commands and subcommands, as the program itself lists them in its help. */
async function commandsOf(words: string[]): Promise<string[][]> {
  const help = await (await program(words)).getHelp()
  const names = [...help.matchAll(new RegExp(`^  chatctl ${words.map((word) => `${word} `).join('')}([a-z]+)`, 'gm'))]
  const own = names.map(([, name = '']) => [...words, name])
  if (own.length === 0) return [words]
  return (await Promise.all(own.map(commandsOf))).flat()
}

test.serial('every command explains itself with an example', async (t) => {
  const commands = await commandsOf([])
  t.true(commands.length > 45, String(commands.length))
  for (const command of commands) t.regex(await (await program(command)).getHelp(), /Examples:/, command.join(' '))
  const shell = await openShell(t)
  t.regex((await works(t, shell, ['send', '--help'])).stdout, /Examples:/)
  t.regex((await works(t, shell, ['--help'])).stdout, /Exit codes: 0 ok, 1 failed, 2 usage/)
  t.regex((await works(t, shell, ['completion'])).stdout, /complete/)
  t.regex((await works(t, shell, ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

test.serial('contacts from the shell: what is unread, what was said last', async (t) => {
  const { shell } = await aliceAndBob(t)
  const as = (who: string, ...args: string[]) => works(t, shell, [...args, '--context', who])
  t.is((await as('alice', 'contacts', '-o', 'table')).stdout, '')
  await as('alice', 'friends', 'add', 'bob')
  await as('bob', 'friends', 'accept', 'alice')
  await as('alice', 'groups', 'create', '值班')
  await as('bob', 'send', 'alice', 'one\ntwo')
  const [bob, group, ...noMore] = json(await as('alice', 'contacts', '-o', 'json'))
  t.like(bob, { kind: 'user', name: 'bob', friend: true, online: false, unread: 1 })
  t.like(bob.last, { from: 'bob', text: 'one two' })
  t.is(new Date(bob.last.sentAt).toISOString(), bob.last.sentAt)
  t.like(group, { kind: 'group', name: '值班', unread: 0, last: undefined })
  t.deepEqual(noMore, [])
  t.is(json(await as('alice', 'contacts', '--unread', '-o', 'json')).length, 1)
  const asOperator = await works(t, shell, ['contacts', '--data', './room', '--as', 'alice', '-o', 'table'])
  t.regex(asOperator.stdout, /bob .*offline .*1 .*bob: one two/)
})

test.serial('a backup is made while the server runs, and never over another file', async (t) => {
  const { shell } = await aliceAndBob(t)
  await works(t, shell, ['send', '--context', 'alice', 'bob', 'keep me'])
  const made = json(await works(t, shell, ['db', 'backup', 'copy.db', '--data', './room', '-o', 'json']))
  t.like(made, { file: 'copy.db' })
  t.regex((await shell.run(['db', 'backup', 'copy.db', '--data', './room'])).stderr, /copy\.db exists already/)
  await mkdir(join(shell.folder, 'second'))
  await rename(join(shell.folder, 'copy.db'), join(shell.folder, 'second', 'chat.db'))
  const listed = json(await works(t, shell, ['users', 'list', '--data', './second', '-o', 'json']))
  t.deepEqual(
    listed.map(({ user }: { user: string }) => user),
    ['alice', 'bob'],
  )
})

test.serial('a database URL that is none, or where nobody answers, is said so; the password is not', async (t) => {
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

import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { program } from '../../cli/parser/program.ts'
import { openShell } from '../support/processes/shell.ts'
import { aliceAndBob, works } from './alice-and-bob.ts'

/** Exit codes, errors and help. */

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
    [['register', 'bob', ...at, '--password-file', 'b.pw'], 5, /^error: the user name is already in use$/m],
    [['register', 'Böb', ...at, '--password-file', 'b.pw'], 5, /^error: a user name is 1 to 32 of a-z/m],
    [['send', '--context', 'alice', 'nobody', 'hi'], 5, /^error: there is no user "nobody"$/m],
    [['send', '--context', 'nobody', 'bob', 'hi'], 4, /^error: there is no context "nobody"$/m],
    [['send', '--context', 'alice', 'bob', ''], 2, /^error: the text is empty$/m],
    [['inbox', '--context', 'alice', '--ack', '--after', '3'], 2, /^error: --ack marks everything/m],
    [['history', '--context', 'alice'], 2, /^error: no conversation is named$/m],
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
    [['inject', '--context', 'alice', 'query_users'], 5, /^error: this connection may not send this message type$/m],
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

/** Names of all commands and subcommands, as the help lists them. */
async function commandsOf(words: string[]): Promise<string[][]> {
  const help = await (await program(words)).getHelp()
  const names = [...help.matchAll(new RegExp(`^  chatctl ${words.map((word) => `${word} `).join('')}([a-z]+)`, 'gm'))]
  const own = names.map(([, name = '']) => [...words, name])
  if (own.length === 0) return [words]
  const below = (await Promise.all(own.map(commandsOf))).flat()
  return words.length === 0 ? below : [words, ...below]
}

test.serial('the help of every command has an example', async (t) => {
  const commands = await commandsOf([])
  t.true(commands.length > 54, String(commands.length))
  for (const command of commands) t.regex(await (await program(command)).getHelp(), /Examples:/, command.join(' '))
  const shell = await openShell(t)
  t.regex((await works(t, shell, ['send', '--help'])).stdout, /Examples:/)
  t.regex((await works(t, shell, ['--help'])).stdout, /Exit codes: 0 ok, 1 failed, 2 usage/)
  t.regex((await works(t, shell, ['completion'])).stdout, /complete/)
  t.regex((await works(t, shell, ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

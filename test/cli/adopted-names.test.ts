import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import Database from 'better-sqlite3'
import { explain } from '../../cli/errors/exit.ts'
import { RefusedByServer } from '../../client/index.ts'
import { openShell } from '../support/processes/shell.ts'

/** Upper-case names, as in adopted databases, and exit codes of refusals. */

test('a user name in upper case works with --from and friends, and its password is not replaced by a key', async (t) => {
  const shell = await openShell(t)
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const name of ['alice', 'carol'])
    t.is((await shell.run(['users', 'create', name, '--data', 'room', '--password-file', 'pw'])).code, 0)
  const database = new Database(join(shell.folder, 'room', 'chat.db'))
  database.prepare(`update userinfo set username = 'Carol' where username = 'carol'`).run()
  database.close()
  const room = await shell.serve()
  for (const name of ['alice', 'Carol'])
    t.is((await shell.run(['login', name, '--server', room.server, '--password-file', 'pw'])).code, 0)
  const send = (from: string, to: string, text: string) => shell.run(['send', '--context', from, to, text])
  t.is((await send('alice', 'alice', 'a note')).code, 0)
  t.is((await send('Carol', 'alice', 'hi')).code, 0)
  const heard = await shell.run(['listen', '--context', 'alice', '--from', 'Carol', '--count', '1', '--for', '20s'])
  t.is(heard.code, 0, heard.stderr)
  t.is(JSON.parse(heard.stdout).text, 'hi')

  await shell.run(['friends', 'accept', 'alice', '--context', 'Carol'])
  await shell.run(['friends', 'add', 'alice', '--context', 'Carol'])
  const added = await shell.run(['friends', 'add', 'Carol', '--context', 'alice', '-o', 'json'])
  t.is(JSON.parse(added.stdout).done, 'friends')

  const replaced = await shell.run(['users', 'passwd', 'Carol', '--bot-key', '--data', 'room'])
  t.is(replaced.code, 2)
  t.regex(replaced.stderr, /Carol is no bot/)
  t.is((await shell.run(['whoami', '--context', 'Carol'])).code, 0)
})

test('exit codes of refusals: 5 if permanent, 3 if transient, 4 if about the login', (t) => {
  const exit = (name: string) => explain(new RefusedByServer({ name, text: 'no', retryAfter: 0 })).exit
  t.deepEqual(['unavailable', 'shutting_down'].map(exit), ['unreachable', 'unreachable'])
  t.deepEqual(['login_failed', 'account_disabled', 'logged_out'].map(exit), Array(3).fill('authentication'))
  t.deepEqual(['user_not_exist', 'rate_limited', 'polls.closed'].map(exit), Array(3).fill('refused'))
})

test('invalid plugin options are usage errors; hints for users do not name operator commands', async (t) => {
  const shell = await openShell(t)
  const env = { CHATCTL_OPTIONS: '{"friends":{"messagesFrom":"nobody"}}' }
  const { code, stderr } = await shell.run(['serve', '--data', './room', '--port', '0'], { env })
  t.is(code, 2)
  t.regex(stderr, /options\.friends\.messagesFrom/)
  const switched = await shell.run(['config', 'show'], { env: { CHATCTL_MIGRATE: 'maybe' } })
  t.deepEqual([switched.code, /migrate: .*\(from CHATCTL_MIGRATE\)/.test(switched.stderr)], [2, true])
  const { hint = '' } = explain(new RefusedByServer({ name: 'user_not_exist', text: 'no', retryAfter: 0 }))
  t.notRegex(hint, /users list/)
})

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { aliceAndBob, json, works } from './alice-and-bob.ts'

/** Stored logins and server keys. */

test.serial('contexts are listed, selected, shown and deleted; their files are private', async (t) => {
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

test.serial('a changed server key is refused and nothing is sent; context forget accepts the new key', async (t) => {
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

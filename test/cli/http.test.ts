import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { ask } from '../support/http/http.ts'
import { openShell } from '../support/processes/shell.ts'
import { json, works } from './alice-and-bob.ts'

/** `chatctl serve --http`, and commands over WebSockets. */

test('Alice registers, logs in and writes over a WebSocket; status and doctor know the listener', async (t) => {
  const shell = await openShell(t)
  const room = await shell.serve(['--http', '0'])
  const url: string = room.listening.http
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.regex((await ask(url, '/')).text, /<title>/)
  const server = url.replace('http', 'ws')
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const name of ['alice', 'bob']) {
    await works(t, shell, ['register', name, '--server', server, '--password-file', 'pw'])
    await works(t, shell, ['login', name, '--server', server, '--password-file', 'pw'])
  }
  const contexts = json(await works(t, shell, ['context', 'list', '-o', 'json']))
  t.like(contexts, { 0: { server: `${server}/chat`, keyState: 'verified' } })
  await works(t, shell, ['friends', 'add', 'bob', '--context', 'alice'])
  await works(t, shell, ['friends', 'accept', 'alice', '--context', 'bob'])
  await works(t, shell, ['send', 'bob', 'through the window', '--context', 'alice'])
  t.like(json(await works(t, shell, ['listen', '--count', '1', '--context', 'bob', '-o', 'json'])), {
    from: 'alice',
    text: 'through the window',
  })
  const data = ['--data', './room', '-o', 'json']
  t.like(json(await works(t, shell, ['status', ...data])), { http: url, webSockets: 0 })
  const checks = json(await works(t, shell, ['doctor', ...data])) as unknown as { check: string }[]
  t.like(
    checks.find(({ check }) => check === 'http'),
    { state: 'ok', detail: `${url} answers with 200` },
  )
  t.is((await room.stop()).code, 0)

  const late = await shell.run(['send', 'bob', 'anyone?', '--context', 'alice'])
  t.is(late.code, 3)
  t.regex(late.stderr, /cannot reach ws:.*: nothing listens there/)
})

test('a WebSocket that is not there, or is refused, is named', async (t) => {
  const shell = await openShell(t)
  const room = await shell.serve(['--http', '0'])
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  const register = (server: string) => shell.run(['register', 'alice', '--server', server, '--password-file', 'pw'])
  const elsewhere = await register(`${room.listening.http.replace('http', 'ws')}/elsewhere`)
  t.is(elsewhere.code, 3)
  t.regex(elsewhere.stderr, /the answer is 404 Not Found/)
  t.is((await register('ws://')).code, 2)
})

test('the settings come from flags, the environment and the file; the last of several flags counts', async (t) => {
  const shell = await openShell(t)
  const settings = { http: 7380, httpOrigins: ['https://a.example'], trustedProxies: ['10.0.0.0/8'] }
  await writeFile(join(shell.folder, 'chatctl.config.json'), JSON.stringify(settings))
  const shown = async (args: readonly string[], env: Record<string, string> = {}) =>
    json(await shell.run(['config', 'show', '-o', 'json', ...args], { env }))
  t.like(await shown([]), { ...settings, http: '7380' })
  t.like(await shown(['--http', 'off', '--trusted-proxy', '::1', '--trusted-proxy', '127.0.0.1']), {
    http: 'off',
    trustedProxies: ['::1', '127.0.0.1'],
  })
  t.like(await shown(['--http', '7380', '--http', '[::1]:1']), { http: '[::1]:1' })
  t.like(await shown([], { CHATCTL_HTTP: '1', CHATCTL_HTTP_ORIGINS: 'https://b.example, https://c.example' }), {
    http: '1',
    httpOrigins: ['https://b.example', 'https://c.example'],
  })
  const room = await shell.serve(['--http', 'off'])
  t.is(room.listening.http, undefined)
})

test('settings that mean nothing, and a port that is taken, end `serve`', async (t) => {
  const shell = await openShell(t)
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const cases: [args: string[], code: number, why: RegExp][] = [
    [['--http', 'window'], 2, /http: is \[HOST:\]PORT or off \(from flag --http\)/],
    [['--http', ''], 2, /--http is empty/],
    [['--http', '0', '--http-origin', 'chat.example.org'], 2, /"chat.example.org" is no origin of a page/],
    [['--http', '0', '--trusted-proxy', 'proxy'], 2, /trusted proxy "proxy" is no address/],
    [['--limits', 'off', '--http', '0.0.0.0:0'], 2, /--limits off is for loopback only, and 0\.0\.0\.0 is not/],
    [['--http', String(port)], 1, /cannot listen for HTTP on 127\.0\.0\.1:\d+: the address is in use/],
  ]
  for (const [args, code, why] of cases) {
    const ran = await shell.run(['serve', '--data', './room', '--port', '0', ...args])
    t.is(ran.code, code, args.join(' '))
    t.regex(ran.stderr + ran.stdout, why)
  }
})

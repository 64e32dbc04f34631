import test from 'ava'
import { startReceiver, status, verify } from '../support/http/receiver.ts'
import { openShell } from '../support/processes/shell.ts'

test.serial('hooks from the shell: add, list, failed, disable, enable, rotate, remove', async (t) => {
  const receiver = await startReceiver(t)
  const shell = await openShell(t)
  const options = { friends: { messagesFrom: 'anyone' }, hooks: { networks: ['127.0.0.1'], ports: [receiver.port] } }
  await shell.serve([], { env: { CHATCTL_OPTIONS: JSON.stringify(options) } })
  const run = (...words: string[]) => shell.run([...words, '--data', './room'])
  for (const name of ['alice', 'bob']) t.is((await run('users', 'create', name, '--bot')).code, 0)

  const added = await run('hooks', 'add', receiver.url, '--user', 'bob', '--to', 'alice', '--events', 'private')
  t.is(added.code, 0, added.stderr)
  const secret = added.stdout.trim()
  t.regex(secret, /^whsec_/)
  receiver.respond = status(500)
  t.is((await run('send', '--as', 'alice', 'bob', 'hello')).code, 0)
  await receiver.arrived(1)
  t.like(verify(secret, receiver.received[0] as never, Date.now()), {
    type: 'message.private',
    data: { text: 'hello' },
  })

  const list = async () => JSON.parse((await run('hooks', 'list', '-o', 'json')).stdout)[0]
  t.like(await list(), {
    hook: 1,
    user: 'bob',
    url: receiver.url,
    to: 'alice',
    kinds: 'private',
    reply: false,
    dead: 0,
  })
  t.regex((await run('hooks', 'list', '-o', 'table')).stdout, /bob .* alice .*private/)
  t.is((await run('hooks', 'disable', '1')).code, 0)
  t.like(await list(), { state: 'disabled', reason: 'disabled by an admin' })
  receiver.respond = status(200)
  t.is((await run('hooks', 'enable', '1')).code, 0)
  await receiver.arrived(2)
  const rotated = await run('hooks', 'rotate', '1', '-o', 'json')
  t.not(JSON.parse(rotated.stdout).secret, secret)
  t.is((await run('hooks', 'failed', '1', '-o', 'json')).stdout.trim(), '[]')
  t.deepEqual(JSON.parse((await run('hooks', 'redeliver', '1', '-o', 'json')).stdout), { hook: 1, events: 0 })
  t.is((await run('hooks', 'remove', '1')).code, 0)
  t.is((await run('hooks', 'list', '-o', 'json')).stdout.trim(), '[]')

  for (const [words, code, says] of [
    [['hooks', 'remove', '1'], 5, /there is no hook with this id/],
    [['hooks', 'remove', 'x'], 2, /"x" is no id of a hook/],
    [['hooks', 'redeliver', '1', 'x'], 2, /"x" is no id of a message/],
    [['hooks', 'add', 'http://10.0.0.1/', '--user', 'bob'], 5, /10\.0\.0\.1 is private \(option hooks\.networks\)/],
    [['hooks', 'add', 'http://example.org:25/', '--user', 'bob'], 5, /port 25 is none of 80, 443, \d+/],
    [
      ['hooks', 'add', receiver.url, '--user', 'bob', '--events', 'edits'],
      5,
      /"edits" is none of private, group, system/,
    ],
    [['hooks', 'add', receiver.url], 2, /user/],
  ] as const) {
    const refused = await run(...words)
    t.is(refused.code, code, refused.stderr)
    t.regex(refused.stderr, says)
  }
})

test.serial('options of hooks that are no networks stop the start', async (t) => {
  const shell = await openShell(t)
  const env = { CHATCTL_OPTIONS: JSON.stringify({ hooks: { networks: ['office'], ports: [0] } }) }
  const { code, stderr } = await shell.run(['serve', '--data', './room', '--port', '0'], { env })
  t.is(code, 2)
  t.regex(stderr, /options\.hooks\.networks.*neither an address nor a network/)
})

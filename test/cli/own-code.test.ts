import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { tempFolder } from '../support/temp-folder.ts'
import { aliceAndBob, json, works } from './alice-and-bob.ts'

/** External plugins and bots, loaded by the command line. */

test.serial('an external plugin is loaded by --plugin, called by inject and seen by listen', async (t) => {
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
  // Bob may still be logging in: Alice repeats the request until he gets the push.
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

test.serial('the plugin in docs/PLUGINS.md works unchanged', async (t) => {
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

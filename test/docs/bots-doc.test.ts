// The examples of docs/BOTS.md, type-checked and run verbatim.
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { loadBot } from '../../cli/bots/loader.ts'
import polls from '../../examples/polls/index.ts'
import { ClosePoll, Vote } from '../../examples/polls/messages.ts'
import { testServer } from '../../testing/index.ts'
import { install, runIn } from '../support/bots/bot-folder.ts'
import { tempFolder } from '../support/temp-folder.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** A folder with the modules of the document; each block starts with its file name. */
async function openFolder(t: ExecutionContext): Promise<string> {
  const folder = await tempFolder(t)
  const document = await readFile(join(ROOT, 'docs/BOTS.md'), 'utf8')
  for (const [, name = '', source = ''] of document.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g))
    await writeFile(join(folder, name), source)
  t.is(document.match(/```ts\n/g)?.length, document.match(/```ts\n\/\/ \S+\n/g)?.length)
  await cp(join(ROOT, 'examples/polls'), join(folder, 'polls'), { recursive: true })
  return folder
}

test('the bots of docs/BOTS.md type-check, and its test passes', async (t) => {
  t.timeout(120_000)
  const folder = await openFolder(t)
  await install(folder)
  await cp(join(ROOT, 'templates/bot/tsconfig.json'), join(folder, 'tsconfig.json'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await runIn(folder, 'tsc', [])
  const { stdout } = await runIn(folder, 'jiti', ['waiter.test.ts'])
  t.regex(stdout, /# pass 1\n# fail 0\n/)
})

test('the bots of docs/BOTS.md behave as described', async (t) => {
  const folder = await openFolder(t)
  await using server = await testServer({ plugins: [polls] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  for (const name of ['dice', 'counter', 'greeter', 'clerk'])
    await server.bot(await loadBot(join(folder, `${name}.ts`)), name)
  t.regex(await ann.asks('dice', '/roll 20'), /^You rolled \d+\.$/)
  t.regex(await ann.asks('dice', '/help'), /^\/roll \[sides\]/)
  t.is(await ann.asks('dice', 'Thanks a lot'), 'Any time!')
  t.is(await ann.asks('dice', 'thanks'), 'Any time.')
  t.is(await ann.asks('dice', 'hm'), '"hm"?')
  t.is(await ann.asks('counter', 'count'), '1')
  t.is(await ann.asks('counter', 'count'), '2')
  t.is(await bob.asks('counter', 'count'), '1')
  await ann.says('greeter', 'hello')
  await ann.hears('Hello!')
  t.is(await ann.asks('clerk', 'hello'), 'Yes?')
  t.is(await ann.asks('clerk', 'fail'), 'Sorry, that went wrong.')
  t.is(await bob.asks('clerk', 'hello'), 'Not you.')
})

test('the bot of docs/BOTS.md that uses a plugin works', async (t) => {
  const folder = await openFolder(t)
  await using server = await testServer({ plugins: [polls] })
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  const bot = await server.bot(await loadBot(join(folder, 'polls-bot.ts')), 'polls')
  t.is(await ann.asks('polls', '/poll "Tea or coffee?"'), 'Poll 1 is open.')
  await bob.request(Vote, { poll: 1, choice: 'tea' })
  await bot.client.request(ClosePoll, { poll: 1 })
  t.is(await ann.asks('polls', '/poll Cake?'), 'Poll 2 is open.')
})

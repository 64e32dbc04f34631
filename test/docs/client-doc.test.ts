// The programs of docs/CLIENT.md, run verbatim on another port.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { install, runIn } from '../support/bots/bot-folder.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

test('the programs of docs/CLIENT.md send, listen and are refused as described', async (t) => {
  const server = await startLocalServer(t, { pluginOptions: { registration: { iterations: 600_000 } } })
  const people = { alice: 'correct horse', bob: 'battery staple' }
  for (const [name, password] of Object.entries(people)) {
    const client = await server.connect()
    await client.register(name, password)
    await client.close()
  }
  const folder = await tempFolder(t)
  const document = await readFile(join(ROOT, 'docs/CLIENT.md'), 'utf8')
  const programs = [...document.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)]
  t.is(document.match(/```ts\n/g)?.length, programs.length)
  for (const [, name = '', source = ''] of programs)
    await writeFile(join(folder, name), source.replaceAll('127.0.0.1:7300', server.address))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await install(folder)
  t.regex((await runIn(folder, 'jiti', ['hello.ts'])).stdout, /^stored as \d+\n$/)
  await runIn(folder, 'jiti', ['files.ts'])
  t.is(await readFile(join(folder, 'copy of files.ts'), 'utf8'), await readFile(join(folder, 'files.ts'), 'utf8'))
  const alice = await server.connect()
  await alice.login('alice', { password: people.alice })
  await alice.send('bob', 'bye')
  t.is((await runIn(folder, 'jiti', ['listener.ts'])).stdout, 'alice: hello\nalice: read this\nalice: bye\n')
  t.is((await runIn(folder, 'jiti', ['careful.ts'])).stdout, 'user_not_exist 0\n')
})

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openShell } from '../support/processes/shell.ts'

/** A shell in a folder with the plugin of docs/PLUGINS.md, "Failures and limits", unchanged. */
async function shellWithShops(t: ExecutionContext) {
  const shell = await openShell(t)
  const document = await readFile(new URL('../../../docs/PLUGINS.md', import.meta.url), 'utf8')
  const sources = [...document.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, source = '']) => source)
  await writeFile(join(shell.folder, 'shops.ts'), sources.find((source) => source.includes(`name: 'shops'`)) ?? '')
  const operator = async (...args: string[]) => shell.run([...args, '--data', './room', '-o', 'json'])
  return { shell, operator }
}

test.serial('the limit of a plugin is set by flag or config, shown and enforced', async (t) => {
  const { shell, operator } = await shellWithShops(t)
  await writeFile(join(shell.folder, 'shops.json'), '{ "limits": { "shops.open": 0, "friends": 3 } }')
  const settings: string[][] = [
    ['--limits', 'shops.open=0,friends=3'],
    ['--config', 'shops.json'],
  ]
  for (const setting of settings) {
    const server = await shell.serve(['--plugin', './shops.ts', ...setting])
    await operator('users', 'create', 'alice', '--bot')
    const refused = await operator('inject', '--as', 'alice', 'open_shop')
    const { error } = JSON.parse(refused.stderr)
    t.like(error, { exit: 5, failure: 'shops.no_room', message: 'there are enough shops' })
    const told = await shell.run(['plugin', 'info', 'shops', '--data', './room', '-o', 'plain'])
    t.regex(told.stdout, /shops\.no_room[\s\S]*shops\.open \(10 count\)/)
    const asked = await operator('inject', 'query_protocol')
    t.like(JSON.parse(JSON.parse(asked.stdout).limits), { 'shops.open': 0, friends: 3 })
    t.is((await server.stop()).code, 0)
  }
})

test.serial('an unknown limit of a plugin is refused at start', async (t) => {
  const { shell } = await shellWithShops(t)
  const serve = (limits: string) =>
    shell.run(['serve', '--data', './room', '--port', '0', '--plugin', './shops.ts', '--limits', limits])
  const unknown = await serve('shops.opened=1')
  t.is(unknown.code, 2)
  t.regex(unknown.stderr, /limits\.shops\.opened: no loaded plugin has that limit/)
  t.is((await serve('freinds=1')).code, 2)
})

test.serial('a value outside a set is refused with the allowed values', async (t) => {
  const { shell, operator } = await shellWithShops(t)
  await shell.serve()
  await operator('users', 'create', 'alice', '--bot')
  const role = ['inject', '--as', 'alice', 'set_room_role', 'group=ops', 'user=alice']
  const refused = await operator(...role, 'role=chief')
  t.is(refused.code, 2)
  t.is(JSON.parse(refused.stderr).error.message, 'role is one of owner, admin, member')
  t.is(JSON.parse((await operator(...role, 'role=admin')).stderr).error.failure, 'group_not_exist')
  const { stdout } = await shell.run(['protocol', 'set_room_role'])
  t.regex(stdout, /\| role \| Ns \(oneOf\) \| owner, admin, member \|/)
})

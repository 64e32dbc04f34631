import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { checkPlugins, type Finding } from '../../cli/authoring/plugin-check.ts'
import { openShell, type Ran, type Shell } from '../support/processes/shell.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const json = ({ stdout }: Ran) => JSON.parse(stdout)
const POLLS = join(ROOT, 'examples/polls/index.ts')

/** Runs a JavaScript program in a folder. */
const node = (args: readonly string[], cwd: string): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
  })

/** A bot that uses a plugin which is installed as a package. */
const GRATEFUL = `import { createBot } from 'chatctl/bot'
import { Thank, Thanked } from 'kudos/messages'

export default createBot({ name: 'grateful', messages: { Thank, Thanked } })
  .message(async (ctx) => {
  const thanked = await ctx.client.request(Thank, { user: ctx.from, why: ctx.text })
  const times: number = thanked.times
  // @ts-expect-error unknown field
  await ctx.client.request(Thank, { whom: ctx.from, why: ctx.text })
  return ctx.reply(String(times))
})
`

/** A folder in which `chatctl` and the dependencies of the template are installed. */
async function openWorkshop(t: ExecutionContext): Promise<Shell> {
  const shell = await openShell(t)
  const modules = join(shell.folder, 'node_modules')
  await mkdir(modules)
  await symlink(ROOT, join(modules, 'chatctl'))
  for (const name of ['zod', 'typescript', '@types'])
    await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  return shell
}

test.serial('a new plugin compiles, passes its test and check, and works on a real server', async (t) => {
  const shell = await openWorkshop(t)
  const made = json(await shell.run(['plugin', 'new', 'kudos-board', '-o', 'json']))
  t.is(made.name, 'kudos-board')
  const folder = join(shell.folder, 'kudos-board')
  const names = ['.gitignore', 'README.md', 'index.ts', 'kudos-board.test.ts', 'messages.ts', 'package.json']
  t.deepEqual((await readdir(folder)).sort(), [...names, 'tsconfig.json', 'types.ts'])
  for (const name of names) t.notRegex(await readFile(join(folder, name), 'utf8'), /my.plugin|type: 100[01]\b/, name)

  const compiled = await node([join(ROOT, 'node_modules/typescript/bin/tsc')], folder)
  t.is(compiled.code, 0, compiled.stdout)
  const tested = await node(['--test', 'dist/'], folder)
  t.is(tested.code, 0, tested.stdout)
  t.regex(tested.stdout, /# pass [2-9]/)

  const checked = await shell.run(['plugin', 'check', './kudos-board/index.ts', '-o', 'json'])
  t.is(checked.code, 0, checked.stdout)
  t.deepEqual(
    json(checked).map(({ step, ok }: { step: string; ok: boolean }) => [step, ok]),
    ['load', 'messages', 'migrations', 'start'].map((step) => [step, true]),
  )

  const room = await shell.serve(['--plugin', './kudos-board/index.ts'])
  await writeFile(join(shell.folder, 'pw'), 'a password')
  for (const name of ['alice', 'bob'])
    t.is((await shell.run(['users', 'create', name, '--data', './room', '--password-file', 'pw'])).code, 0)
  const thank = ['inject', '--as', 'alice', '--data', './room', 'kudos_board_thank', 'user=bob', 'why=tea']
  t.like(json(await shell.run([...thank, '-o', 'json'])), { type: 'kudos_board_thanked', user: 'bob', times: 1 })
  const facts = json(await shell.run(['plugin', 'info', 'kudos-board', '--data', './room', '-o', 'json']))
  t.like(facts, {
    version: '0.1.0',
    api: '^1.0',
    state: 'ok',
    messages: ['kudos_board_thank', 'kudos_board_thanked'],
    handles: ['kudos_board_thank'],
    migrations: ['0001_init'],
  })
  const listed = json(await shell.run(['plugins', 'list', '--data', './room', '-o', 'json']))
  t.true(listed.some(({ name }: { name: string }) => name === 'kudos-board'))
  t.is(json(await shell.run(['status', '--data', './room', '-o', 'json']))['kudos-board.thanks'], 1)
  const unknown = await shell.run(['plugin', 'info', 'kudos', '--data', './room'])
  t.is(unknown.code, 1)
  t.regex(unknown.stderr, /no plugin "kudos" runs there\nhint: there are control, .*kudos-board/)
  await room.stop()
  t.is((await shell.run(['plugin', 'list', '--data', './room'])).code, 3)
})

test.serial('plugin new overwrites nothing, and refuses an invalid name', async (t) => {
  const shell = await openShell(t)
  const refused = async (args: string[], code: number, why: RegExp) => {
    const ran = await shell.run(['plugin', 'new', ...args])
    t.is(ran.code, code, args.join(' '))
    t.regex(ran.stderr, why)
  }
  await mkdir(join(shell.folder, 'full'))
  await writeFile(join(shell.folder, 'full', 'precious'), 'mine')
  await refused(['full'], 1, /full is not empty/)
  await refused(['polls', '--dir', './full'], 1, /full is not empty\nhint: give another name, or --dir/)
  await refused(['polls', '--dir', './full/precious'], 1, /cannot write to .*precious/)
  for (const name of ['Polls', '1st', '../out', 'a b', 'a--b', 'x'.repeat(41)])
    await refused([name], 2, /cannot be a name: a letter, then a-z, 0-9 and single dashes, at most 40/)
  await refused([], 2, /words are missing\nhint: `chatctl plugin new --help`/)
  t.deepEqual(await readdir(join(shell.folder, 'full')), ['precious'])
  // A name may contain a placeholder of the template.
  t.is((await shell.run(['plugin', 'new', 'poll-1000'])).code, 0)
  const read = (file: string) => readFile(join(shell.folder, 'poll-1000', file), 'utf8')
  t.is(JSON.parse(await read('package.json')).name, 'poll-1000')
  t.regex(await read('messages.ts'), /name: 'poll_1000_thank'/)
  // chatctl is not found from there, so package.json links to it.
  t.is((await shell.run(['plugin', 'new', 'polls'])).code, 0)
  const { devDependencies } = JSON.parse(await readFile(join(shell.folder, 'polls', 'package.json'), 'utf8'))
  t.is(devDependencies.chatctl, `file:${ROOT.replace(/\/$/, '')}`)
})

test.serial('a bot imports the typed messages of a published plugin', async (t) => {
  const shell = await openWorkshop(t)
  t.is((await shell.run(['plugin', 'new', 'kudos'])).code, 0)
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const folder = join(shell.folder, 'kudos')
  t.is((await node([tsc], folder)).code, 0)
  // Needs the target of Node 20: the v flag of regular expressions.
  await writeFile(join(folder, 'letters.ts'), 'export const letters = /[\\p{L}--[a-z]]/v\n')
  t.is((await node([tsc, '--noEmit'], folder)).stdout, '')
  const map = JSON.parse(await readFile(join(folder, 'dist', 'index.js.map'), 'utf8'))
  t.deepEqual(map.sources, ['../index.ts'])

  await symlink(folder, join(shell.folder, 'node_modules', 'kudos'))
  const bot = join(shell.folder, 'grateful')
  await mkdir(bot)
  await writeFile(join(bot, 'bot.ts'), GRATEFUL)
  await writeFile(join(bot, 'package.json'), '{"type":"module"}')
  const checked = await node([tsc, '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', 'bot.ts'], bot)
  t.is(checked.code, 0, checked.stdout)
  const imported = `import('kudos/messages').then(({ Thank }) => console.log(Thank.name))`
  t.is((await node(['--input-type=module', '-e', imported], bot)).stdout, 'kudos_thank\n')
})

test.serial('plugin check reports the first fault and stops', async (t) => {
  const shell = await openShell(t)
  const plugin = (name: string, body: string) =>
    writeFile(
      join(shell.folder, name),
      `import { clientMessage, definePlugin } from 'chatctl'\nimport { z } from 'zod'\nexport default definePlugin({ ${body} })`,
    )
  const message = (type: number, name: string) =>
    `clientMessage({ type: ${type}, name: '${name}', about: '', allow: 'user', fields: {} })`
  await plugin('low.ts', `name: 'low', messages: { A: ${message(999, 'a')} }, setup() {}`)
  await plugin('clash.ts', `name: 'clash', messages: { A: ${message(1000, 'send_message')} }, setup() {}`)
  await plugin('lonely.ts', `name: 'lonely', messages: { A: ${message(1000, 'a')} }, setup() {}`)
  await plugin('future.ts', `name: 'future', api: '^9.0', setup() {}`)
  await plugin(
    'stuck.ts',
    `name: 'stuck', setup() {}, migrations: { '0001': { up: (db) => db.schema.createTable('stuck', (t) => t.increments()), down: async () => {} } }`,
  )
  await plugin(
    'leaves.ts',
    `name: 'leaves', setup() {}, migrations: { '0001': {
      up: async (db) => { if (!(await db.schema.hasTable('leaves'))) await db.schema.createTable('leaves', (t) => t.increments()) },
      down: async () => {} } }`,
  )
  await plugin(
    'takes.ts',
    `name: 'takes', setup() {}, migrations: { '0001': { up: async () => {}, down: (db) => db.schema.dropTable('userfriend') } }`,
  )
  await plugin('named.ts', `name: 'Na.med', setup() {}`)
  await plugin('friends.ts', `name: 'friends', setup() {}`)
  await plugin('forgets.ts', `name: 'forgets', setup() { setInterval(() => {}, 1000) }`)
  await plugin('throws.ts', `name: 'throws', setup() { throw new Error('not today') }`)
  await plugin('stops.ts', `name: 'stops', setup(app) { app.onStop(() => { throw new Error('never ends') }) }`)
  await plugin('limit.ts', `name: 'limit', options: z.strictObject({ max: z.number() }), setup() {}`)
  await writeFile(join(shell.folder, 'nothing.ts'), 'export const answer = 42')
  const last = async (plugins: string[], options = {}) => {
    let finding: Finding | undefined
    for await (finding of checkPlugins({ plugins, folder: shell.folder, options }));
    return `${finding?.step} ${finding?.ok}: ${finding?.detail}`
  }
  t.regex(await last(['./missing.ts']), /^load false: there is no file .*missing\.ts/)
  t.regex(await last(['./nothing.ts']), /^load false: .*exports no plugin \(found: answer\)/)
  t.regex(await last(['no-such-package']), /^load false: cannot find plugin "no-such-package"/)
  t.regex(await last(['./low.ts']), /^messages false: plugin low: message a has type 999; yours begin at 1000/)
  t.regex(await last(['./clash.ts']), /^messages false: plugin clash defines message 1000 send_message, but 11/)
  t.regex(await last(['./stuck.ts']), /^migrations false: down leaves behind: CREATE TABLE `stuck`/)
  t.regex(await last(['./leaves.ts']), /^migrations false: down leaves behind: CREATE TABLE `leaves`/)
  t.regex(await last(['./takes.ts']), /^migrations false: down does not bring back: .*userfriend/)
  t.regex(await last(['./named.ts']), /^load false: the name "Na\.med" is not at most 64 of a-z/)
  t.regex(await last(['./friends.ts']), /^load false: a built-in plugin is named "friends" too/)
  t.regex(await last(['./future.ts']), /^start false: plugin future is written for plugin API \^9\.0/)
  t.is(await last(['./lonely.ts']), 'start false: nobody handles a')
  t.regex(await last(['./throws.ts']), /^start false: plugin throws failed to start: not today/)
  t.regex(await last(['./stops.ts']), /^start false: when it stopped: Error: never ends/)
  t.regex(await last(['./limit.ts']), /^start false: options\.limit\.max: expected number/)
  t.is(await last(['./limit.ts'], { limit: { max: 3 } }), 'start true: started and stopped')
  t.is(await last([POLLS]), 'start true: started and stopped')
  t.regex(await last(['./throws.ts', './nothing.ts']), /^load false/)
  const ran = await shell.run(['plugin', 'check', './limit.ts', '--options', '{"limit":{"max":3}}', '-o', 'json'])
  t.is(ran.code, 0)
  const failed = await shell.run(['plugin', 'check', './throws.ts', '-o', 'ndjson'])
  t.is(failed.code, 1)
  t.like(JSON.parse(failed.stdout.trim().split('\n').at(-1) ?? ''), { step: 'start', ok: false })
  const forgot = await shell.run(['plugin', 'check', './forgets.ts'])
  t.is(forgot.code, 1)
  t.regex(forgot.stdout, /^start\tfailed\tstill open after it stopped: Timeout; make timers with app\.every/m)
  for (const options of ['{', '[1]', 'null'])
    t.is((await shell.run(['plugin', 'check', './limit.ts', '--options', options])).code, 2)
})

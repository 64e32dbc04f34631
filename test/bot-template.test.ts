import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { openShell, type Shell } from './support/cli.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)

/** What `npm install` would do in the bot's folder: this very package, and what it needs from this one's own. */
async function install(folder: string) {
  const { dependencies, devDependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '@types'), { recursive: true })
  for (const name of Object.keys({ ...dependencies, ...devDependencies }))
    await symlink(name === 'chatctl' ? ROOT : join(ROOT, 'node_modules', name), join(modules, name))
  await mkdir(join(modules, '.bin'))
  await symlink(join(modules, 'typescript/bin/tsc'), join(modules, '.bin/tsc'))
  await symlink(join(modules, 'jiti/lib/jiti-cli.mjs'), join(modules, '.bin/jiti'))
}

/** Runs a script of the bot's package.json. */
const npm = (t: ExecutionContext, { folder, home }: Shell, script: string) => {
  t.log(`npm run ${script}`)
  const env = { PATH: process.env.PATH, HOME: home, npm_config_update_notifier: 'false' }
  return run('npm', ['run', '--silent', script], { cwd: join(folder, 'dice'), env })
}

test('a new bot checks, tests, runs and answers as it is', async (t) => {
  t.timeout(120_000)
  const shell = await openShell(t)
  const made = await shell.run(['bot', 'new', 'dice', '-o', 'json'])
  t.is(made.code, 0, made.stderr)
  t.like(JSON.parse(made.stdout), {
    folder: 'dice',
    files: ['.gitignore', 'README.md', 'bot.test.ts', 'bot.ts', 'package.json', 'tsconfig.json'],
  })
  await install(join(shell.folder, 'dice'))
  await npm(t, shell, 'check')
  const { stdout } = await npm(t, shell, 'test')
  t.regex(stdout, /# pass 2\n# fail 0\n/)

  const { server } = await shell.serve()
  const key = (await shell.run(['users', 'create', 'dice', '--bot', '--data', './room'])).stdout.trim()
  const bot = shell.start(['bot', 'run', 'dice/bot.ts', '--server', server], { env: { CHATCTL_BOT_KEY: key } })
  await bot.output.says(/at work/)
  const ann = ['--as', 'ann', '--data', './room']
  await shell.run(['users', 'create', 'ann', '--password-file', '-', '--data', './room'], { input: 'a password' })
  t.is((await shell.run(['send', 'dice', '/roll 20', ...ann])).code, 0)
  const heard = await shell.run(['listen', ...ann, '--count', '1', '--for', '30s', '-o', 'json'])
  t.regex(JSON.parse(heard.stdout).text, /^You rolled \d+\.$/)
  bot.child.kill()
  t.is((await bot.done).code, 0)
})

test('a new bot takes no place of anything, and its name has to do for everything', async (t) => {
  const shell = await openShell(t)
  await shell.run(['bot', 'new', 'dice'])
  const before = await readFile(join(shell.folder, 'dice/bot.ts'), 'utf8')
  const again = await shell.run(['bot', 'new', 'dice'])
  t.is(again.code, 1)
  t.regex(again.stderr, /there is something in dice already/)
  t.is(await readFile(join(shell.folder, 'dice/bot.ts'), 'utf8'), before)
  for (const name of ['Dice', '../dice', 'two words', '']) {
    const { code, stderr } = await shell.run(['bot', 'new', name])
    t.is(code, 2, name)
    t.regex(stderr, /cannot name a bot here/)
  }
})

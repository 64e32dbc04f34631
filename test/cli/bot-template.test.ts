import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { install, runIn } from '../support/bots/bot-folder.ts'
import { openShell } from '../support/processes/shell.ts'

test.serial('a new bot passes its check and tests, runs and answers', async (t) => {
  t.timeout(120_000)
  const shell = await openShell(t)
  const made = await shell.run(['bot', 'new', 'dice', '-o', 'json'])
  t.is(made.code, 0, made.stderr)
  t.like(JSON.parse(made.stdout), {
    folder: join(shell.folder, 'dice'),
    files: ['.gitignore', 'README.md', 'bot.test.ts', 'bot.ts', 'package.json', 'tsconfig.json'],
  })
  const folder = join(shell.folder, 'dice')
  await install(folder)
  await runIn(folder, 'npm', ['run', '--silent', 'check'])
  const { stdout } = await runIn(folder, 'npm', ['test', '--silent'])
  t.regex(stdout, /# pass 2\n# fail 0\n/)

  const { server } = await shell.serve()
  const key = (await shell.run(['users', 'create', 'dice', '--bot', '--data', './room'])).stdout.trim()
  const bot = shell.start(['bot', 'run', 'dice/bot.ts', '--server', server], { env: { CHATCTL_BOT_KEY: key } })
  await bot.output.says(/the bot has started/)
  const ann = ['--as', 'ann', '--data', './room']
  await shell.run(['users', 'create', 'ann', '--password-file', '-', '--data', './room'], { input: 'a password' })
  t.is((await shell.run(['send', 'dice', '/roll 20', ...ann])).code, 0)
  const heard = await shell.run(['listen', ...ann, '--count', '1', '--for', '30s', '-o', 'json'])
  t.regex(JSON.parse(heard.stdout).text, /^You rolled \d+\.$/)
  bot.child.kill()
  t.is((await bot.done).code, 0)
})

test.serial('a new bot around a language model passes its check and tests without a key, and answers', async (t) => {
  t.timeout(120_000)
  const shell = await openShell(t)
  const made = await shell.run(['bot', 'new', 'helper', '--template', 'llm', '-o', 'json'])
  t.is(made.code, 0, made.stderr)
  t.true(JSON.parse(made.stdout).files.includes('model.ts'))
  const folder = join(shell.folder, 'helper')
  await install(folder)
  await runIn(folder, 'npm', ['run', '--silent', 'check'])
  const { stdout } = await runIn(folder, 'npm', ['test', '--silent'])
  t.regex(stdout, /# pass 3\n# fail 0\n/)
  t.is((await shell.run(['bot', 'new', 'other', '--template', 'none'])).code, 2)
})

test.serial('bot new overwrites nothing, and refuses an invalid name', async (t) => {
  const shell = await openShell(t)
  await shell.run(['bot', 'new', 'dice'])
  const before = await readFile(join(shell.folder, 'dice/bot.ts'), 'utf8')
  const again = await shell.run(['bot', 'new', 'dice'])
  t.is(again.code, 1)
  t.regex(again.stderr, /dice is not empty/)
  t.is(await readFile(join(shell.folder, 'dice/bot.ts'), 'utf8'), before)
  for (const name of ['Dice', '../dice', 'two words', '']) {
    const { code, stderr } = await shell.run(['bot', 'new', name])
    t.is(code, 2, name)
    t.regex(stderr, /cannot be a name: a letter, then/)
  }
})

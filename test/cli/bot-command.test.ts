import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { connect, QueryConsumers } from '../../client/index.ts'
import { openShell, type Shell } from '../support/processes/shell.ts'

const KEY = /^ckey_[A-Za-z0-9_-]{43}$/

/** Creates a bot account and returns its key. */
async function botAccount(shell: Shell, name: string): Promise<string> {
  const { stdout } = await shell.run(['users', 'create', name, '--bot', '--data', './room'])
  return stdout.trim()
}

/** A person at a client. */
async function person(t: ExecutionContext, server: string, name: string) {
  const client = await connect({ server, leastIterations: 4096 })
  t.teardown(() => client.close())
  await client.register(name, 'password of a person')
  await client.login(name, { password: 'password of a person' })
  const messages = client.messages()
  return {
    client,
    says: (to: string, text: string) => client.send(to, text),
    /** Text of the next message. */
    async hears(): Promise<string> {
      const { value } = await messages.next()
      return value.text
    },
    async asks(to: string, text: string): Promise<string> {
      await client.send(to, text)
      return this.hears()
    },
  }
}

/** A bot that answers every message, with a prefix of its own. */
const answering = (answer: string) => `import { createBot } from 'chatctl/bot'
export default createBot({ name: 'echo' }).message((ctx) => ctx.reply(\`${answer}\`))
`

async function write(shell: Shell, file: string, content: string): Promise<string> {
  await writeFile(join(shell.folder, file), content)
  return file
}

/** Starts `chatctl bot run` and waits until the bot reports its start. */
async function runBot(shell: Shell, file: string, key: string, args: readonly string[] = []) {
  const process = shell.start(['bot', 'run', file, ...args], { env: { CHATCTL_BOT_KEY: key } })
  await process.output.says(/the bot has started/)
  return {
    ...process,
    stop(signal: NodeJS.Signals = 'SIGTERM') {
      process.child.kill(signal)
      return process.done
    },
  }
}

/** Its first process says half of an answer and hangs; the next one gives the whole answer. */
const interrupted = `import { existsSync, writeFileSync } from 'node:fs'
import { createBot } from 'chatctl/bot'
async function* answer() {
  if (existsSync('./asked')) return yield* ['the ', 'whole ', 'answer']
  writeFileSync('./asked', '')
  yield 'half an '
  await new Promise(() => {})
}
export default createBot({ name: 'echo' }).message((ctx) => ctx.stream(answer()))
`

for (const [when, grace] of [
  ['within the time to resume, the stream goes on', 15_000],
  ['later, the half answer stays and is marked', 50],
] as const)
  test.serial(`a bot is killed in the middle of an answer and started again: ${when}`, async (t) => {
    const shell = await openShell(t)
    const { server } = await shell.serve(['--limits', `streamGrace=${grace}`])
    const key = await botAccount(shell, 'echo')
    const args = ['--server', server]
    const file = await write(shell, 'bot.ts', interrupted)
    const first = await runBot(shell, file, key, args)
    const ann = await person(t, server, 'ann')
    const seen: string[] = []
    let sees = () => {}
    const half = new Promise<void>((resolve) => {
      sees = resolve
    })
    await ann.client.followStreams(({ text, isOver }) => {
      seen.push(isOver ? 'over' : text)
      if (text === 'half an ') sees()
    })
    await ann.says('echo', 'why?')
    await half
    await first.stop('SIGKILL')
    if (grace < 15_000) t.is(await ann.hears(), 'half an … (interrupted)')
    const second = await runBot(shell, file, key, args)
    t.is(await ann.hears(), 'the whole answer')
    t.is((await ann.client.history('echo')).messages.length, grace < 15_000 ? 3 : 2)
    t.is(seen.filter((text) => text === 'over').length, grace < 15_000 ? 2 : 1)
    await second.stop()
  })

test.serial('users create --bot prints a key once, whether the server runs or not', async (t) => {
  const shell = await openShell(t)
  const before = await shell.run(['users', 'create', 'early', '--bot', '--data', './room'])
  t.is(before.code, 0)
  t.regex(before.stdout.trim(), KEY)
  t.regex(before.stderr, /shown once/)
  const { server } = await shell.serve()
  const ran = await shell.run(['users', 'create', 'late', '--bot', '--nickname', 'L', '--data', './room', '-o', 'json'])
  const { key, ...rest } = JSON.parse(ran.stdout)
  t.regex(key, KEY)
  t.like(rest, { user: 'late', role: 'bot' })
  for (const [name, password] of [
    ['early', before.stdout.trim()],
    ['late', key],
  ]) {
    await using client = await connect({ server, reconnect: false, leastIterations: 4096 })
    t.is((await client.login(name, { password })).user, name)
    t.is(client.keys?.iterations, 4096)
  }
  const list = await shell.run(['users', 'list', '--data', './room', '-o', 'json'])
  t.deepEqual(
    JSON.parse(list.stdout).map(({ role }: { role: string }) => role),
    ['bot', 'bot'],
  )
  t.false(list.stdout.includes(key))
})

test.serial('--bot excludes a password and a role', async (t) => {
  const shell = await openShell(t)
  await shell.run(['users', 'create', 'echo', '--bot', '--data', './room'])
  const refused = async (args: readonly string[], code: number, stderr: RegExp) => {
    const ran = await shell.run([...args, '--data', './room'], { input: 'a password\n' })
    t.is(ran.code, code)
    t.is(ran.stdout, '')
    t.regex(ran.stderr, stderr)
  }
  await refused(['users', 'create', 'b', '--bot', '--password-file', '-'], 2, /key takes the place of a password/)
  await refused(['users', 'create', 'b', '--bot', '--role', 'admin'], 2, /leave out --role/)
  await refused(['users', 'create', 'b', '--bot', '--role', 'bot'], 2, /leave out --role/)
  await refused(['users', 'create', 'echo', '--bot'], 5, /already in use/)
  await refused(['users', 'passwd', 'echo', '--bot-key', '--password-file', '-'], 2, /takes the place of a password/)
  await refused(['users', 'passwd', 'nobody', '--bot-key'], 5, /there is no user/)
  const { stdout } = await shell.run(['users', 'list', '--data', './room', '-o', 'json'])
  t.is(JSON.parse(stdout).length, 1)
  const ann = ['users', 'create', 'ann', '--password-file', '-', '--data', './room']
  t.is((await shell.run(ann, { input: 'a password' })).code, 0)
  await refused(['users', 'passwd', 'Ann', '--bot-key'], 2, /ann is no bot/)
})

test.serial('a new key of a bot invalidates the old one', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const old = await botAccount(shell, 'echo')
  const file = await write(shell, 'echo.ts', answering('$' + '{ctx.text}!'))
  const running = await runBot(shell, file, old, ['--server', server])
  const renewed = await shell.run(['users', 'passwd', 'echo', '--bot-key', '--data', './room', '-o', 'json'])
  const { user, key } = JSON.parse(renewed.stdout)
  t.is(user, 'echo')
  t.regex(key, KEY)
  t.is((await running.done).code, 4, 'its session was ended by the operator')
  t.is((await shell.run(['bot', 'run', file, '--server', server], { env: { CHATCTL_BOT_KEY: old } })).code, 4)
  const again = await runBot(shell, file, key, ['--server', server])
  t.is((await again.stop()).code, 0)
})

test.serial('a bot runs, answers, and stops on SIGTERM and on Ctrl-C when its handlers have finished', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'echo')
  const ann = await person(t, server, 'ann')
  const file = await write(
    shell,
    'slow.ts',
    `import { createBot } from 'chatctl/bot'
     export default createBot({ name: 'echo' }).message(async (ctx) => {
       if (ctx.text === 'wait') {
         ctx.log.info('waiting')
         await new Promise<void>((resolve) => process.once('SIGUSR2', resolve))
       }
       await ctx.reply(\`\${ctx.text}!\`)
     })`,
  )
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const bot = await runBot(shell, file, key, ['--server', server])
    t.is(await ann.asks('echo', 'hello'), 'hello!')
    await ann.says('echo', 'wait')
    await bot.output.says(/"waiting"/)
    bot.child.kill(signal)
    await bot.output.says(/"stopping"/)
    await ann.says('echo', 'after')
    bot.child.kill('SIGUSR2')
    const { code, stdout, stderr } = await bot.done
    t.is(code, 0)
    t.is(stdout, '', 'the log is on stderr')
    t.regex(stderr, new RegExp(`"signal":"${signal}"`))
    t.is(await ann.hears(), 'wait!')
    // The message sent while the bot was not running.
    const next = await runBot(shell, file, key, ['--server', server])
    t.is(await ann.hears(), 'after!')
    t.is((await next.stop()).code, 0)
  }
  await using self = await connect({ server, leastIterations: 4096 })
  await self.login('echo', { password: key })
  t.like(await self.request(QueryConsumers, {}), { consumers: { 0: { consumer: 'echo', pending: 0 } } })
})

test.serial('bot run reads a key from a file or stdin, accepts another account name, or uses a login', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const file = await write(shell, 'echo.ts', answering('$' + '{ctx.bot.user}'))
  await write(shell, 'bot.key', `${await botAccount(shell, 'parrot')}\n`)
  const ann = await person(t, server, 'ann')
  const named = shell.start(['bot', 'run', file, '--user', 'parrot', '--key-file', 'bot.key', '--server', server])
  await named.output.says(/"consumer":"echo".*the bot has started/)
  t.is(await ann.asks('parrot', 'who?'), 'parrot')
  named.child.kill()
  t.is((await named.done).code, 0)
  const piped = shell.start(['bot', 'run', file, '--user', 'parrot', '--key-file', '-', '--consumer', 'two'], {
    env: { CHATCTL_SERVER: server },
  })
  piped.child.stdin?.end(await newKey(shell, 'parrot'))
  await piped.output.says(/"consumer":"two".*the bot has started/)
  await write(shell, 'pw', 'password of a person')
  await person(t, server, 'carol')
  await shell.run(['login', 'carol', '--server', server, '--password-file', 'pw'])
  const kept = shell.start(['bot', 'run', file, '--context', 'carol'])
  await kept.output.says(/the bot has started/)
  t.is(await ann.asks('carol', 'who?'), 'carol')
})

async function newKey(shell: Shell, name: string): Promise<string> {
  return (await shell.run(['users', 'passwd', name, '--bot-key', '--data', './room'])).stdout
}

test.serial('each reason that prevents a start is reported with its exit code', async (t) => {
  t.timeout(120_000)
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'echo')
  const good = await write(shell, 'good.ts', answering('yes'))
  const none = await write(shell, 'none.ts', 'export const six = 6\n')
  const broken = await write(shell, 'broken.ts', 'export default const\n')
  const beside = await write(shell, 'beside.ts', "import '../broken.ts'\n")
  await write(shell, 'empty.key', '')
  const fails = async (args: readonly string[], code: number, stderr: RegExp, given = key) => {
    const ran = await shell.run(['bot', 'run', ...args], { env: { CHATCTL_BOT_KEY: given } })
    t.is(ran.code, code, args.join(' '))
    t.is(ran.stdout, '')
    t.regex(ran.stderr, stderr)
  }
  const at = ['--server', server]
  await fails([none, ...at], 1, /none\.ts exports no bot \(found: six\)/)
  await fails([broken, ...at], 1, /cannot load broken\.ts: .*broken\.ts/)
  await fails([beside, ...at], 1, /cannot load beside\.ts: .*broken\.ts/)
  await fails(['missing.ts', ...at], 1, /cannot load missing\.ts/)
  await fails([good, ...at], 4, /not the key of the account "[a-z]+"[\s\S]*passwd [a-z]+ --bot-key/, 'ckey_wrong')
  await fails([good, ...at], 4, /no key and no --context[\s\S]*users create NAME --bot/, '')
  // The login of a person is not that of the bot.
  await person(t, server, 'dora')
  await write(shell, 'pw', 'password of a person')
  t.is((await shell.run(['login', 'dora', '--server', server, '--password-file', 'pw'])).code, 0)
  await fails([good, ...at], 4, /no key and no --context/, '')
  await fails([good, '--user', 'echo', ...at], 4, /no key/, '')
  await fails([good, '--server', '127.0.0.1:1'], 3, /127\.0\.0\.1:1/)
  await fails([good, '--key-file', 'empty.key', ...at], 2, /empty\.key is empty/)
  await fails([good, '--key-file', 'no.key', ...at], 2, /cannot read the key file no\.key/)
  await fails([good, '--key-file', 'no.key', '--context', 'ann'], 2, /--context does not go with --key-file/)
  await fails([good, '--replay-from', 'yesterday', ...at], 2, /"yesterday" is no id and no time/)
  await fails([good, '--replay-from', '2026-02-30', ...at], 2, /no id and no time/)
  await fails([good, '--replay-from', '2999-01-01', ...at], 2, /still to come/)
})

test.serial('with --watch a changed bot takes over, a broken one does not', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'echo')
  const ann = await person(t, server, 'ann')
  await mkdir(join(shell.folder, 'parts'))
  await write(shell, 'parts/word.ts', "export const word: string = 'one'\n")
  const text = (more = '') => `import { createBot } from 'chatctl/bot'
    import { word } from '../parts/word.ts'
    export default createBot({ name: 'echo'${more} }).message((ctx) => ctx.reply(word))`
  await write(shell, 'bot.ts', text())
  const bot = await runBot(shell, 'bot.ts', key, ['--server', server, '--watch'])
  const works = (times: number) => bot.output.says(new RegExp(`(the bot has started[\\s\\S]*){${times}}`))
  t.is(await ann.asks('echo', 'hello'), 'one')
  // The bot imports this file; like an editor, the change replaces it by a rename.
  await write(shell, 'parts/word.ts.new', "export const word: string = 'two'\n")
  await rename(join(shell.folder, 'parts/word.ts.new'), join(shell.folder, 'parts/word.ts'))
  await works(2)
  t.is(await ann.asks('echo', 'hello'), 'two')
  await write(shell, 'parts/word.ts', "export const word: string = 'thr")
  await bot.output.says(/cannot load bot\.ts: .*word\.ts.*the previous version runs on/)
  t.is(await ann.asks('echo', 'hello'), 'two')
  await write(shell, 'parts/word.ts', "export const word: string = 'three'\n")
  await works(3)
  t.is(await ann.asks('echo', 'hello'), 'three')
  await write(shell, 'bot.ts', text(", state: { in: { file: './parts' }, initial: () => 0 }"))
  await bot.output.says(/cannot start the changed bot\.ts: .*the previous version runs on/)
  await works(4)
  t.is(await ann.asks('echo', 'hello'), 'three')
  t.is((await bot.stop()).code, 0)
})

test.serial('an unhandled rejection does not end the bot, and is logged with the handler’s name', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'tool')
  const ann = await person(t, server, 'ann')
  await write(
    shell,
    'tool.ts',
    `import { createBot } from 'chatctl/bot'
    export default createBot({ name: 'tool' })
      .hears('oops', (ctx) => { void (async () => { await 1; throw new Error('forgotten') })(); return ctx.reply('ok') })
      .message((ctx) => ctx.reply('here'))`,
  )
  const bot = await runBot(shell, 'tool.ts', key, ['--server', server])
  t.is(await ann.asks('tool', 'oops'), 'ok')
  await bot.output.says(/"handler":"hears oops".*unhandled promise rejection/)
  t.is(await ann.asks('tool', 'hello'), 'here')
  t.is((await bot.stop()).code, 0)
})

test.serial('a bot that another process replaces exits with 7, so that no supervisor restarts it', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'tool')
  await write(
    shell,
    'tool.ts',
    `import { createBot } from 'chatctl/bot'
    export default createBot({ name: 'tool' }).message((ctx) => ctx.reply('here'))`,
  )
  const first = await runBot(shell, 'tool.ts', key, ['--server', server])
  const second = await runBot(shell, 'tool.ts', key, ['--server', server])
  const { code, stderr } = await first.done
  t.is(code, 7)
  t.regex(stderr, /another process has taken over.*\n.*--consumer/)
  t.is((await second.stop()).code, 0)
})

test.serial('a bot keeps running when its log is not read', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'tool')
  const ann = await person(t, server, 'ann')
  await write(
    shell,
    'tool.ts',
    `import { createBot } from 'chatctl/bot'
    export default createBot({ name: 'tool' }).message((ctx) => { ctx.log.info('heard'); return ctx.reply('here') })`,
  )
  const bot = await runBot(shell, 'tool.ts', key, ['--server', server])
  bot.child.stderr?.destroy()
  for (let n = 0; n < 3; n++) t.is(await ann.asks('tool', 'hello'), 'here')
  t.is((await bot.stop()).code, 0)
})

test.serial('with --replay-from a bot repeats the events after a message or since a time', async (t) => {
  const shell = await openShell(t)
  const { server } = await shell.serve()
  const key = await botAccount(shell, 'echo')
  const ann = await person(t, server, 'ann')
  const file = await write(
    shell,
    'echo.ts',
    `import { createBot } from 'chatctl/bot'
     export default createBot({ name: 'echo' }).message((ctx) => void console.log(ctx.text))`,
  )
  const { id } = await ann.says('echo', 'one')
  await ann.says('echo', 'two')
  const hears = async (texts: readonly string[], args: readonly string[]) => {
    const bot = await runBot(shell, file, key, ['--server', server, ...args])
    await bot.output.prints(texts.join('\n'))
    const { code, stdout } = await bot.stop()
    t.is(code, 0)
    t.deepEqual(stdout.split('\n').filter(Boolean), texts)
  }
  await hears([], [])
  await hears(['one', 'two'], ['--replay-from', '2020-01-01'])
  await hears(['two'], ['--replay-from', String(id)])
  const ahead = await shell.run(['bot', 'run', file, '--server', server, '--replay-from', '1000'], {
    env: { CHATCTL_BOT_KEY: key },
  })
  t.is(ahead.code, 1)
  t.regex(ahead.stderr, /nothing after 1000 was handled yet/)
  await hears([], [])
  await hears(['one', 'two'], ['--consumer', 'another', '--all'])
})

import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { EXIT, explain } from '../../cli/errors/exit.ts'
import { CLIENT_HINTS, FAILURE_HINTS } from '../../cli/errors/hints.ts'
import { program } from '../../cli/parser/program.ts'
import { RefusedByServer } from '../../client/errors.ts'
import { openShell, type Shell } from '../support/processes/shell.ts'

/** Errors name the fault, the allowed values and the next command. */

async function fails(t: ExecutionContext, shell: Shell, words: string, code: number, says: RegExp) {
  const ran = await shell.run(words.split(' '))
  t.is(ran.code, code, `${words}: ${ran.stderr}`)
  t.regex(ran.stderr, says, words)
}

test('every hint belongs to a failure of the protocol, and names existing commands', async (t) => {
  const protocol = await readFile(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8')
  for (const name of Object.keys(FAILURE_HINTS)) t.regex(protocol, new RegExp(`\\| ${name} \\|`), name)
  for (const hint of [...Object.values(FAILURE_HINTS), ...Object.values(CLIENT_HINTS)])
    for (const [, words = ''] of hint.matchAll(/`chatctl ([a-z ]+[a-z])/g)) {
      const help = await (await program(words.split(' '))).getHelp()
      t.true(help.startsWith(`chatctl ${words}`), `${words}: ${help}`)
    }
  const refused = new RefusedByServer({ name: 'group_exists', text: 'the group name is already in use', retryAfter: 0 })
  t.like(explain(refused), { exit: 'refused', hint: FAILURE_HINTS.group_exists })
})

test('limits: an unknown name, a value that is not a number, a negative value', async (t) => {
  const shell = await openShell(t)
  await fails(
    t,
    shell,
    'serve --limits frends=1',
    2,
    /no limit "frends" \(from flag --limits\)\nhint: did you mean friends\?/,
  )
  await fails(t, shell, 'serve --limits foo=1', 2, /no limit "foo".*\nhint: limits: .*requestRate/)
  await fails(t, shell, 'serve --limits text=-1', 2, /limits\.text is -1, which is no whole number from 0 on/)
  await fails(t, shell, 'serve --limits text=many', 2, /limits\.text is "many", which is no whole number/)
  await fails(t, shell, 'serve --limits text', 2, /"text" is not LIMIT=NUMBER\nhint: such as --limits text=4096/)
  const { code, stderr } = await shell.run(['config', 'show'], { env: { CHATCTL_LIMITS: '{"foo":1}' } })
  t.is(code, 2)
  t.regex(stderr, /no limit "foo" \(from CHATCTL_LIMITS\)/)
})

test('a negative value is refused with the allowed values of the option', async (t) => {
  const shell = await openShell(t)
  await fails(t, shell, 'send --delay -5s bob hi', 2, /--delay: "-5s" is less than 0\nhint: --delay: .* 90s, 10m/)
  await fails(t, shell, 'listen --for -1m30s', 2, /--for: "-1m30s" is less than 0\nhint: --for: /)
  await fails(t, shell, 'send bob hi --delay', 2, /--delay is empty/)
})

test('a missing context exits with 4, whichever command names it', async (t) => {
  const shell = await openShell(t)
  for (const words of [
    'context use nobody',
    'context show nobody',
    'context remove nobody',
    'whoami --context nobody',
    'send bob hi --context nobody',
    'bot run ./bot.ts --context nobody',
  ]) {
    if (words.startsWith('bot'))
      await writeFile(join(shell.folder, 'bot.ts'), `export default { name: 'x', start() {}, command() {} }`)
    await fails(
      t,
      shell,
      words,
      EXIT.authentication,
      /no context "nobody"\nhint: .*`chatctl login NAME --context nobody`/,
    )
  }
  await fails(t, shell, 'context show', EXIT.authentication, /no context is selected\nhint: `chatctl context use NAME`/)
})

test('a port in use and a malformed key are reported', async (t) => {
  const shell = await openShell(t)
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  await fails(
    t,
    shell,
    `serve --data ./room --port ${port}`,
    1,
    /address is in use\nhint: choose another port, .*`ss -ltnp`/,
  )
  await fails(
    t,
    shell,
    'login alice --pin SHA256:abc',
    2,
    /--pin: "SHA256:abc" is not SHA256: and 43 letters.*`chatctl serve`/,
  )
})

test('only commands that read a config file of the current folder name one as their default', async (t) => {
  const names = async (words: string) =>
    /default chatctl\.config/.test(await (await program(words.split(' '))).getHelp())
  for (const words of ['serve', 'config show']) t.true(await names(words), words)
  for (const words of [
    'db status',
    'db migrate',
    'db backup',
    'db restore',
    'db adopt',
    'db seed',
    'users list',
    'status',
    'doctor',
  ])
    t.false(await names(words), words)
})

// The example, run against a real server as its README describes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { CreateRoom, JoinRoom } from '../../client/index.ts'
import { openOperatorShell } from '../support/processes/operator-shell.ts'
import { textsOf } from '../support/requests.ts'

const EXAMPLE = fileURLToPath(new URL('../../../examples/ci-notifier/', import.meta.url))
const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url))

/** A server, its users, and a build machine logged in as `ci`. */
async function openBuild(t: ExecutionContext) {
  const desk = await openOperatorShell(t)
  const { shell, room, enter } = desk
  const bin = join(shell.folder, 'bin')
  await mkdir(bin)
  await writeFile(join(bin, 'chatctl'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`)
  await chmod(join(bin, 'chatctl'), 0o755)
  await writeFile(join(shell.folder, 'ci.pw'), 'the same for all')
  await enter('ci')
  const login = await shell.run(['login', 'ci', '--server', room.server, '--password-file', 'ci.pw'])
  t.is(login.code, 0, login.stderr)
  const start = (command: string, args: readonly string[], env: Record<string, string> = {}) => {
    const child = spawn(command, args, {
      cwd: shell.folder,
      env: {
        PATH: `${bin}:${EXAMPLE}:${process.env.PATH}`,
        HOME: shell.home,
        XDG_CONFIG_HOME: join(shell.home, 'config'),
        XDG_DATA_HOME: join(shell.home, 'data'),
        TZ: 'UTC',
        ...env,
      },
    })
    t.teardown(() => child.kill('SIGKILL'))
    let said = ''
    let complained = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    child.stderr.on('data', (chunk) => {
      complained += chunk
    })
    const done = once(child, 'close').then(([code]) => ({ code: code as number | null, said, complained }))
    return { child, done }
  }
  return { ...desk, start, run: (...words: Parameters<typeof start>) => start(...words).done }
}

test.serial('the notifier sends the end of the output of failed tests and exits with their code', async (t) => {
  const { shell, room, alice, run, hears } = await openBuild(t)
  await writeFile(join(shell.folder, 'suite'), 'printf "1 ok\\n2 \\377 not ok: \\303\\274ber\\n" >&2\nexit 3\n')
  const green = await run('run-tests.sh', ['alice', 'true'])
  t.is(green.code, 0, green.complained)
  t.is((await alice.inbox()).messages.length, 0)
  const red = await run('run-tests.sh', ['alice', 'sh', 'suite'])
  t.is(red.code, 3, red.complained)
  t.is(await hears(alice), 'failed with 3: sh suite\n1 ok\n2  not ok: über')
  t.regex(await readFile(join(shell.folder, 'ci-status'), 'utf8'), /^red: sh suite, /)
  t.like(await run('run-tests.sh', ['nobody', 'sh', 'suite']), { code: 3 })
  await room.stop()
  const alone = await run('run-tests.sh', ['alice', 'sh', 'suite'])
  t.is(alone.code, 3)
  t.regex(alone.complained, /nobody could be told/)
})

test.serial('a deployment waits for a yes, and asks once although it is killed', async (t) => {
  const { alice, start, run, hears } = await openBuild(t)
  const words = ['alice', '1.7', 'touch', 'deployed']
  const killed = start('deploy.sh', words)
  t.is(await hears(alice), 'Deploy 1.7? [yes/no]')
  killed.child.kill('SIGKILL')
  await alice.send('ci', 'Yes')
  const deployed = await run('deploy.sh', words)
  t.is(deployed.code, 0, deployed.complained)
  t.is(await hears(alice), '1.7 is deployed')
  t.deepEqual(textsOf(await alice.inbox({ all: true })), ['Deploy 1.7? [yes/no]', '1.7 is deployed'])

  const refused = start('deploy.sh', ['alice', '1.8', 'touch', 'deployed'])
  t.is(await hears(alice), 'Deploy 1.8? [yes/no]')
  await alice.send('ci', 'no')
  t.like(await refused.done, { code: 1, complained: 'not deployed: alice said no\n' })
  const silent = await run('deploy.sh', ['alice', '1.9', 'touch', 'deployed'], { CI_PATIENCE: '300ms' })
  t.is(silent.code, 6, silent.complained)
})

test.serial('a user who asks for the status receives it; other messages in a group are not answered', async (t) => {
  const { shell, alice, enter, start, hears } = await openBuild(t)
  const ci = await enter('ci')
  await alice.request(CreateRoom, { group: 'ops' })
  await ci.request(JoinRoom, { group: 'ops' })
  const answer = join(EXAMPLE, 'answer.sh')
  const listening = start('chatctl', ['listen', '--exec', answer, '--count', '4'])
  await alice.send('ci', 'status')
  t.is(await hears(alice), 'nothing was tested yet')
  await writeFile(join(shell.folder, 'ci-status'), 'green: make test\n')
  await alice.send('ci', 'what is "text":"status"')
  t.is(await hears(alice), 'I only know: status')
  await alice.send({ group: 'ops' }, 'good morning')
  await alice.send({ group: 'ops' }, 'status')
  t.is(await hears(alice), 'green: make test')
  const { code, complained } = await listening.done
  t.is(code, 0, complained)
})

test.serial('a reminder is scheduled on the server', async (t) => {
  const { alice, enter, run } = await openBuild(t)
  const ci = await enter('ci')
  await alice.request(CreateRoom, { group: 'ops' })
  await ci.request(JoinRoom, { group: 'ops' })
  const { code, complained } = await run('remind.sh', ['ops', '18:00', 'release freeze'])
  t.is(code, 0, complained)
  const listed = await run('chatctl', ['scheduled', 'list', '-o', 'json'])
  const [waiting] = JSON.parse(listed.said)
  t.like(waiting, { group: 'ops', text: 'release freeze', state: 'waiting' })
  t.regex(waiting.at, /T18:00:00/)
  t.is((await run('remind.sh', ['ops', 'soon', 'x'])).code, 2)
})

import { Buffer } from 'node:buffer'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openShell } from '../support/processes/shell.ts'

/** `send --lines`, and the validity of texts. */

async function alice(t: ExecutionContext, serveArgs: readonly string[] = []) {
  const shell = await openShell(t)
  const room = await shell.serve(serveArgs)
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const command of ['register', 'login'])
    t.is((await shell.run([command, 'alice', '--server', room.server, '--password-file', 'pw'])).code, 0)
  const texts = async () =>
    JSON.parse((await shell.run(['history', 'alice', '-o', 'json', '--limit', '500'])).stdout).map(
      ({ text }: { text: string }) => text,
    )
  return { shell, room, texts }
}

test('an id is printed when its line is stored, not when stdin ends', async (t) => {
  const { shell, texts } = await alice(t)
  const { child, output, done } = shell.start(['send', 'alice', '-', '--lines'])
  child.stdin?.write('one\r\n')
  const first = await output.line()
  t.regex(first, /^\d+$/)
  t.deepEqual(await texts(), ['one'])
  // A character split across two chunks, and a last line without a line break.
  const bytes = Buffer.from('zwei: 你\n\ndrei')
  child.stdin?.write(bytes.subarray(0, 7))
  child.stdin?.end(bytes.subarray(7))
  const { code, stdout } = await done
  t.is(code, 0)
  t.is(stdout.trim().split('\n').length, 3)
  t.deepEqual(await texts(), ['one', 'zwei: 你', 'drei'])
})

test('after a refused line nothing is sent, and stored and failed lines are reported', async (t) => {
  const { shell, texts } = await alice(t)
  const sent = await shell.run(['send', 'alice', '-', '--lines'], { input: `ok1\n${'a'.repeat(17_000)}\nok2\nok3\n` })
  t.is(sent.code, 5)
  const stored = await texts()
  t.is(sent.stdout.trim().split('\n').length, stored.length)
  const [, count, line, last] =
    /^(\d) message\(s\) were stored, line (\d) was not, and nothing after line (\d) was sent/.exec(sent.stderr) ?? []
  t.is(Number(count), stored.length, sent.stderr)
  t.is(line, '2')
  // The counts include every line sent, however many were in flight at the refusal.
  t.deepEqual(stored, ['ok1', 'ok2', 'ok3'].slice(0, Math.max(1, Number(last) - 1)))
})

test('text that is not UTF-8 is refused from any source, and none of it is sent', async (t) => {
  const { shell, texts } = await alice(t)
  const latin = Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a])
  const pipe = (args: readonly string[]) => {
    const { child, done } = shell.start(args)
    child.stdin?.end(Buffer.concat([Buffer.from('good\n'), latin, Buffer.from('not sent\n')]))
    return done
  }
  const lines = await pipe(['send', 'alice', '-', '--lines'])
  t.is(lines.code, 2)
  t.regex(lines.stderr, /error: line 2 of stdin is not UTF-8 text/)
  const whole = await pipe(['send', 'alice', '-'])
  t.deepEqual([whole.code, whole.stderr], [2, 'error: stdin is not UTF-8 text\n'])
  await writeFile(join(shell.folder, 'latin.pw'), latin)
  const secret = await shell.run(['login', 'alice', '--password-file', 'latin.pw'])
  t.is(secret.code, 2)
  t.regex(secret.stderr, /password file latin\.pw: it is not UTF-8 text/)
  if (process.platform === 'linux')
    t.is(await shell.shell(`chatctl send alice "$(printf 'caf\\351')" 2>&1`), 'error: an argument is not UTF-8 text\n')
  t.is((await shell.run(['send', 'alice', 'one \ufffd of its own'])).code, 0)
  t.deepEqual(await texts(), ['good', 'one \ufffd of its own'])
})

test('stdin is read only up to the longest possible message', async (t) => {
  const { shell } = await alice(t)
  const { child, done } = shell.start(['send', 'alice', '-'])
  // stdin never ends, so the command must end by itself.
  let written = 0
  const more = () => {
    for (let full = false; !full && written < 1e9; written += 65_536)
      full = child.stdin?.write('x'.repeat(65_536)) !== true
  }
  child.stdin?.on('error', () => {}).on('drain', more)
  more()
  const { code, stderr } = await done
  t.deepEqual([code, stderr], [2, 'error: stdin is longer than 200000 bytes\n'])
})

test('a pause because of the rate is reported once', async (t) => {
  const { shell, texts } = await alice(t, ['--limits', 'requestRate=4,requestBurst=8'])
  const input = Array.from({ length: 20 }, (_, number) => `${number}\n`).join('')
  const { code, stderr } = await shell.run(['send', 'alice', '-', '--lines'], { input })
  t.is(code, 0, stderr)
  t.is(stderr, 'the server takes 4 requests a second of a user; bots may send ten times as many\n')
  t.is((await texts()).length, 20)
})

test('a dash after -- is a text; a full disk is reported without a stack trace', async (t) => {
  const { shell, texts } = await alice(t)
  t.is((await shell.run(['send', 'alice', '--', '-'])).code, 0)
  t.deepEqual(await texts(), ['-'])
  if (spawnSync('test', ['-w', '/dev/full']).status !== 0) return
  t.is(
    await shell.shell('chatctl history alice -o plain 2>&1 >/dev/full; echo $?'),
    'error: cannot write to stdout: ENOSPC: no space left on device, write\n1\n',
  )
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parseDuration } from '../../cli/input/duration.ts'
import { parseDelay } from '../../cli/input/moment.ts'
import { localTime } from '../../cli/output/local-time.ts'
import { toTable } from '../../cli/output/table.ts'
import { openShell } from '../support/processes/shell.ts'

/** Output formats for people and for programs. */

const cell = (value: string | number) => ({ text: String(value), isWhole: typeof value === 'number' })

test('a table fits the terminal: texts wrap, numbers and times do not', (t) => {
  const head = ['id', 'text'].map(cell)
  const rows = [
    [cell(1_234_567), cell('a long text of several words that does not fit')],
    [cell(2), cell('你好你好你好你好你好你好')],
  ]
  t.is(
    toTable(head, rows, 30),
    [
      'id       text',
      '1234567  a long text of',
      '         several words that',
      '         does not fit',
      '2        你好你好你好你好你好',
      '         你好',
    ].join('\n'),
  )
  for (const line of toTable(head, rows, 24).split('\n')) t.false(/\s$/.test(line))
  t.is(toTable(head, rows, undefined).split('\n').length, 3)
  t.regex(toTable(head, rows, 5), /^1234567 {2}a long$/m)
})

test('times: local with the zone for people, ISO 8601 in UTC for programs', async (t) => {
  t.regex(localTime(new Date(2026, 10, 28, 4, 5, 6)), /^2026-11-28 04:05:06 [+-]\d\d:\d\d$/)
  t.is(new Date(localTime(new Date(1_795_838_706_000)).replace(' ', 'T').replace(' ', '')).getTime(), 1_795_838_706_000)
  const shell = await openShell(t)
  const room = await shell.serve()
  await writeFile(join(shell.folder, 'pw'), 'correct horse')
  for (const command of ['register', 'login'])
    await shell.run([command, 'alice', '--server', room.server, '--password-file', 'pw'])
  await shell.run(['send', 'alice', 'now'])
  await shell.run(['send', 'alice', 'later', '--delay', '1h30m'])
  const env = { TZ: 'Asia/Kolkata' }
  for (const command of ['inbox', 'history alice', 'scheduled list', 'contacts', 'users list --data room']) {
    const plain = (await shell.run([...command.split(' '), '-o', 'plain'], { env })).stdout
    if (command !== 'contacts') t.regex(plain, /\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(\t|\n)/, command)
    t.notRegex(plain, /\d\d:\d\d:\d\d( |$)/, command)
    const table = (await shell.run([...command.split(' '), '-o', 'table'], { env })).stdout
    if (command !== 'contacts') t.regex(table, /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+05:30/, command)
  }
})

test('status has names for scripts and units for people', async (t) => {
  const shell = await openShell(t)
  await shell.serve()
  const plain = (await shell.run(['status', '--data', 'room'])).stdout
  t.regex(plain, /^uptime\t\d+\n/)
  t.regex(plain, /^users\t0$/m)
  t.regex(plain, /^memory\t\d+$/m)
  const table = (await shell.run(['status', '--data', 'room', '-o', 'table'])).stdout
  t.regex(table, /^running for +\d+ s$/m)
  t.regex(table, /^memory +\d+\.\d MiB$/m)
})

test('durations have one format', (t) => {
  t.is(parseDuration('1h30m'), 5_400_000)
  t.is(parseDuration('1m500ms'), 60_500)
  t.is(parseDuration('10'), 10_000)
  t.is(parseDuration('24d'), 24 * 86_400_000)
  t.is(parseDelay('1d12h'), 129_600_000)
  t.is(parseDelay('0.5s'), 500)
  for (const wrong of ['', '0', '1x', '30m1h', '-5s', '1h 30m', 'h', '1h1h'])
    t.throws(() => parseDelay(wrong), { message: /is not a time such as 90s, 10m, 1h30m or 7d/ }, wrong)
  t.throws(() => parseDuration('25d'), { message: /25d is too long: at most 24d/ })
})

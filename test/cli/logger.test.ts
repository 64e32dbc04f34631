import { spawnSync } from 'node:child_process'
import test from 'ava'

/** Logs from a separate process, since the log goes to stdout. */
function logged(lines: string): Record<string, unknown>[] {
  const door = new URL('../../cli/output/logger.js', import.meta.url).href
  const source = `const { log, release } = await (await import('${door}')).openLog('trace', false); ${lines}; release()`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('secrets never appear in the log', (t) => {
  const [record] = logged(
    "log.info({ password: 'a', keys: { clientKey: 'b' }, message: { clientFinal: 'c', storedKey: 'd', user: 'alice' } }, 'x')",
  )
  t.notRegex(JSON.stringify(record), /"[abcd]"/)
  t.like(record, { message: { user: 'alice' }, msg: 'x', level: 'info' })
})

test('a database error shows its code, but no text of users', (t) => {
  const [record] = logged(
    "log.error({ err: Object.assign(new Error(\"insert into `chatmsg` values ('SECRET - TEXT') - database is locked\"), { code: 'SQLITE_BUSY' }) }, 'x')",
  )
  t.deepEqual(record?.err, { type: 'Error', code: 'SQLITE_BUSY', message: '- database is locked' })
})

test('lines logged during the start follow the first line', (t) => {
  const [first, second] = logged('log.warn(\'early\'); process.stdout.write(\'{"event":"listening"}\\n\')')
  t.like(first, { event: 'listening' })
  t.like(second, { msg: 'early' })
})

// The long forms of the endurance plays: many rounds, many messages. Names of files as arguments run only those.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'

const FOLDER = 'test/endurance'
/** Played again on MariaDB. Others start one by themselves, or do not depend on the database. */
const ON_MARIADB = ['consumers', 'events', 'kill', 'lossy-line', 'migration', 'stop', 'transfer']

/** One after the other: what is measured here must not be the neighbour's load. */
const ONE_BY_ONE = ['--concurrency', '1', '--timeout', '30m']

async function run(program, ...args) {
  const env = { ...process.env, TEST_LONG: '1' }
  const [code] = await once(spawn(program, args, { stdio: 'inherit', env }), 'exit')
  if (code !== 0) process.exitCode = code ?? 1
}

const asked = process.argv.slice(2)
const files = asked.length > 0 ? asked : readdirSync(FOLDER).map((file) => `${FOLDER}/${file}`)
await run('npx', 'ava', ...ONE_BY_ONE, ...files)
const again = files.filter((file) => ON_MARIADB.includes(basename(file, '.test.ts')))
if (again.length > 0) await run(process.execPath, 'scripts/test-mariadb.mjs', ...ONE_BY_ONE, ...again)

// Runs the database tests again on a private MariaDB server.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { freemem } from 'node:os'
import { hasMariadb, startMariadb } from '../dist/test/support/databases/mariadb.js'

const TESTS = [
  'cluster/causal',
  'cluster/delivery',
  'cluster/consumers',
  'cluster/hooks',
  'cluster/leases',
  'cluster/loops',
  'cluster/membership',
  'cluster/nodes',
  'cluster/owners',
  'cluster/permissions',
  'cluster/roster',
  'cluster/pushes',
  'cluster/session-ends',
  'db/adopt',
  'db/database',
  'db/database-lock',
  'db/log-feed',
  'db/migrations',
  'db/outdated',
  'db/restore',
  'db/scans',
  'db/writer-outage',
  'endurance/faults',
  'endurance/migration',
  'endurance/transfer',
  'features/accounts',
  'features/consumers',
  'features/contacts',
  'features/friend-conditions',
  'features/friends',
  'features/group-conditions',
  'features/groups',
  'features/idempotency',
  'features/messages',
  'features/recall',
  'features/receiving',
  'features/request-keys',
  'features/room',
  'features/schedule',
  'features/search',
  'features/system',
  'legacy/legacy',
  'server/plugins',
  'server/races',
  'server/strangers',
]

if (!hasMariadb()) {
  console.error('\n!!! MariaDB is not installed: NOTHING WAS TESTED ON IT (Debian: apt-get install mariadb-server)\n')
  process.exit(process.env.CI ? 1 : 0)
}
console.error('\nThe tests again, on MariaDB:')
/** A file system in memory: changes of a schema, of which the tests make many thousands, take a fifth of the time there. */
const MEMORY = '/dev/shm'
/** Several times what the tests need. */
const ENOUGH_BYTES = 4 * 1024 ** 3

async function hasMemory() {
  if (!existsSync(MEMORY)) return false
  const { bavail, bsize } = await statfs(MEMORY)
  return Math.min(bavail * bsize, freemem()) > ENOUGH_BYTES
}

async function settings() {
  // Filling a database of a million messages takes an hour where it does not fit into the cache.
  if (process.env.TEST_LONG === '1') return { bufferPool: '1G' }
  return (await hasMemory()) ? { within: MEMORY } : {}
}

const server = await startMariadb(await settings())
try {
  const files = process.argv.length > 2 ? process.argv.slice(2) : TESTS.map((name) => `test/${name}.test.ts`)
  const ava = spawn('npx', ['ava', ...files], {
    stdio: 'inherit',
    env: { ...process.env, TEST_DATABASE: server.server },
  })
  // This process goes on to its end: a server that is left keeps its memory.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => ava.kill(signal))
  const [code] = await once(ava, 'exit')
  process.exitCode = code ?? 1
} finally {
  await server.close()
}

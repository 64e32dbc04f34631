import test from 'ava'
import { lockMysql, openDatabase } from '../../db/index.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import { openShell } from '../support/processes/shell.ts'

/** Locks of MariaDB; those of a data folder are in operator.test.ts. */
const SERVER = process.env.TEST_DATABASE
const onMariadb = SERVER === undefined ? test.skip : test.serial

onMariadb('a second server on one database is refused, as is a command that changes it', async (t) => {
  const { url, drop } = await newDatabase(SERVER ?? '')
  t.teardown(drop)
  const shell = await openShell(t)
  const env = { CHATCTL_DB: url }
  const first = await shell.serve(['--data', './one'], { env })
  for (const args of [
    ['serve', '--port', '0'],
    ['db', 'migrate'],
    ['db', 'drop', '--yes'],
  ]) {
    const { code, stderr } = await shell.run([...args, '--data', './two'], { env })
    t.is(code, 5, stderr)
    t.regex(stderr, /another server or command uses the database mysql:.*through connection \d+ from .*\nhint: stop it/)
  }
  await first.stop('SIGKILL')
  const second = await shell.serve(['--data', './two'], { env })
  t.is((await second.stop()).code, 0, 'the lock went with the process')
})

/** Ends the connection that holds the lock, like a network failure or an idle timeout. */
async function cut(url: string, id: number | undefined) {
  const db = await openDatabase(url)
  await db.raw(`kill ${id}`)
  await db.destroy()
}

onMariadb('a lock is taken again after its connection is lost', async (t) => {
  const { url, drop } = await newDatabase(SERVER ?? '')
  t.teardown(drop)
  const changes: boolean[] = []
  const lost: Error[] = []
  let back: () => void = () => {}
  const isBack = new Promise<void>((resolve) => {
    back = resolve
  })
  const lock = await lockMysql(url, {
    onChange(isHeld) {
      changes.push(isHeld)
      if (isHeld) back()
    },
    onLost: (error) => lost.push(error),
  })
  t.teardown(() => lock.release())
  // The lock's own timers keep no process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const before = lock.connectionId
  await cut(url, before)
  await isBack
  t.deepEqual([changes, lost], [[false, true], []])
  t.not(lock.connectionId, before)
  await t.throwsAsync(lockMysql(url), { name: 'DatabaseInUse' })
})

onMariadb('a server whose database was taken over stops with the reason', async (t) => {
  const { url, drop } = await newDatabase(SERVER ?? '')
  t.teardown(drop)
  let stop: (error: Error) => void = () => {}
  const stopped = new Promise<Error>((resolve) => {
    stop = resolve
  })
  let other: Awaited<ReturnType<typeof lockMysql>> | undefined
  const lock = await lockMysql(url, {
    onChange: (isHeld) => {
      // The other server is faster.
      if (!isHeld) void lockMysql(url).then((taken) => (other = taken))
    },
    onLost: stop,
  })
  await cut(url, lock.connectionId)
  const error = await stopped
  t.is(error.name, 'DatabaseInUse')
  t.truthy(other)
  await other?.release()
  await lock.release()
})

onMariadb('a server whose database another server has used in the meantime stops', async (t) => {
  const { url, drop } = await newDatabase(SERVER ?? '')
  t.teardown(drop)
  const shell = await openShell(t)
  const first = await shell.serve(['--data', './one'], { env: { CHATCTL_DB: url } })
  const db = await openDatabase(url)
  // Like another server that started and stopped in the meantime.
  await db('chatctl_database').where({ name: 'starts' }).update({ value: '7' })
  const [[{ id }]] = await db.raw('select is_used_lock(?) as id', [`chatctl/${new URL(url).pathname.slice(1)}`])
  await db.raw(`kill ${id}`)
  await db.destroy()
  const { code, stdout, stderr } = await first.done
  t.is(code, 1, stderr)
  t.regex(stdout, /"level":"fatal".*the database was lost to others/)
  t.regex(stderr, /was used by others while the connection was lost/)
})

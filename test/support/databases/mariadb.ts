import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import knex from 'knex'
import { SILENT_LOG } from '../../../db/silent-log.ts'

const START_MS = 30_000
const PORT_ATTEMPTS = 3

/** Path of a program, also where only root's PATH has it. */
export const findProgram = (program: string) =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path))

export const hasMariadb = () => findProgram('mariadbd') !== undefined && findProgram('mariadb-install-db') !== undefined

/** A free port: the server restarts on the same one. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}

/** Installs an empty MariaDB data folder. Returns how to start a server on it. */
async function installMariadb(folder: string, settings: readonly string[]) {
  const [mariadbd, install] = [findProgram('mariadbd'), findProgram('mariadb-install-db')]
  if (mariadbd === undefined || install === undefined)
    throw new Error('MariaDB is not installed: on Debian, apt-get install mariadb-server')
  const data = join(folder, 'data')
  await mkdir(data)
  const user = process.getuid?.() === 0 ? ['--user=root'] : []
  // A server deletes the temporary tables of others in its folder for them when it starts.
  const env = { ...process.env, TMPDIR: folder }
  const args = [`--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', ...user]
  await promisify(execFile)(install, ['--no-defaults', ...args], { env })
  return (port: number) =>
    spawn(
      mariadbd,
      [
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        `--socket=${join(folder, 'socket')}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        ...settings,
        '--skip-name-resolve',
      ],
      { stdio: 'ignore', env },
    )
}

/**
 * A private MariaDB server on loopback with its own folder, removed by `close`. As in a default installation, a commit
 * is flushed to disk.
 * @param options.binlog whether commits become visible only when they are durable, as servers that share it need
 * @param options.bufferPool bytes of its cache
 * @param options.within folder for its own one
 */
export async function startMariadb({
  binlog = false,
  bufferPool = '64M',
  within = tmpdir(),
}: {
  binlog?: boolean
  bufferPool?: string
  within?: string
} = {}) {
  const folder = await mkdtemp(join(within, 'chatctl-mariadb-'))
  const log = binlog ? ['--log-bin=binlog', '--sync-binlog=1'] : ['--skip-log-bin']
  const launch = await installMariadb(folder, [...log, `--innodb-buffer-pool-size=${bufferPool}`])
  let port = await freePort()
  let child: ReturnType<typeof launch>

  const start = async () => {
    child = launch(port)
    const end = performance.now() + START_MS
    while (!(await answers())) {
      if (child.exitCode !== null || performance.now() > end) throw new Error('mariadbd does not start')
      await sleep(50)
    }
    // Another server may have answered.
    if (child.exitCode !== null) throw new Error(`port ${port} is in use`)
  }

  const asRoot = async (sql: string) => {
    const db = knex({ client: 'mysql2', log: SILENT_LOG, connection: { host: '127.0.0.1', port, user: 'root' } })
    try {
      return await db.raw(sql)
    } finally {
      await db.destroy()
    }
  }
  const answers = () =>
    asRoot('select 1').then(
      () => true,
      () => false,
    )

  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    // A frozen process ends only when it goes on.
    child.kill('SIGCONT')
    await exit
  }

  // Another process may have taken the port meanwhile.
  for (let attempt = 1; ; attempt++)
    try {
      await start()
      break
    } catch (error) {
      if (attempt === PORT_ATTEMPTS) throw error
      port = await freePort()
    }
  return {
    port,
    get pid() {
      return child.pid as number
    },
    /** `mysql://…` of the server, without a database: newDatabase takes it. */
    server: `mysql://root@127.0.0.1:${port}`,
    start,
    stop,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    /** Suspends the process; resolves when none of its threads runs any more. */
    async freeze() {
      child.kill('SIGSTOP')
      while (!(await isSuspended(child.pid))) await nextTurn()
    },
    thaw: () => child.kill('SIGCONT'),
    /** Runs a statement as root. */
    run: asRoot,
    async close() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Whether all threads of a process are stopped, on Linux. */
async function isSuspended(pid: number | undefined): Promise<boolean> {
  const states = (await readdir(`/proc/${pid}/task`)).map(async (thread) => {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    // After the name in parentheses, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2)[0]
  })
  return (await Promise.all(states)).every((state) => state === 'T')
}

/** Creates an empty database on a server; returns its URL and a function that drops it. */
export async function newDatabase(server: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `chatctl_${randomBytes(6).toString('hex')}`
  const { hostname, port, username } = new URL(server)
  const run = async (sql: string) => {
    const db = knex({
      client: 'mysql2',
      log: SILENT_LOG,
      connection: { host: hostname, port: Number(port), user: username },
    })
    try {
      await db.raw(sql)
    } finally {
      await db.destroy()
    }
  }
  await run(`create database ${name}`)
  return { url: `${server}/${name}`, drop: () => run(`drop database if exists ${name}`) }
}

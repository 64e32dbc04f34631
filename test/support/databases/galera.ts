import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import knex from 'knex'
import { SILENT_LOG } from '../../../db/silent-log.ts'
import { findProgram, freePort, hasMariadb } from './mariadb.ts'

const PROVIDER = '/usr/lib/galera/libgalera_smm.so'
/** Root cannot send data to other servers: the programs that do it for MariaDB refuse. */
const USER = process.getuid?.() === 0 ? ['--user=mysql'] : []

const giveAway = async (folder: string) => {
  if (USER.length > 0) await promisify(execFile)('chown', ['-R', 'mysql', folder])
}

const START_MS = 60_000
const NODES = 3

export const hasGalera = () => hasMariadb() && existsSync(PROVIDER)

interface Ports {
  readonly sql: number
  readonly group: number
  readonly transfer: number
}

/** One MariaDB server of a Galera cluster. */
export class GaleraNode {
  readonly port: number
  readonly #folder: string
  readonly #ports: Ports
  readonly #cluster: string
  #child: ChildProcess | undefined

  constructor(folder: string, ports: Ports, cluster: string) {
    this.#folder = folder
    this.#ports = ports
    this.#cluster = cluster
    this.port = ports.sql
  }

  /** Of the running server. @throws Error before its start */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the node of Galera was not started')
    return this.#child.pid
  }

  /** @param options.isFirst whether it begins a cluster */
  async start({ isFirst = false } = {}) {
    this.#child = this.#spawn([isFirst ? '--wsrep-new-cluster' : `--wsrep-start-position=${await this.#recovered()}`])
    const end = performance.now() + START_MS
    while (!(await this.#isReady())) {
      if (this.#child.exitCode !== null || performance.now() > end)
        throw new Error(`a node of Galera does not start: ${(await readFile(this.#log, 'utf8')).slice(-2000)}`)
      await sleep(100)
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM') {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }

  /** Resolves when this server sees the whole cluster, and takes statements. */
  async whole() {
    while (!(await this.#isReady()) || (await this.#valueOf('wsrep_cluster_size')) !== String(NODES)) await sleep(100)
  }

  signal(signal: NodeJS.Signals) {
    this.#child?.kill(signal)
  }

  async run(sql: string) {
    const db = knex({
      client: 'mysql2',
      log: SILENT_LOG,
      connection: { host: '127.0.0.1', port: this.port, user: 'root', connectTimeout: 1000 },
    })
    try {
      return await db.raw(sql)
    } finally {
      await db.destroy()
    }
  }

  get #log() {
    return join(this.#folder, 'log')
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await this.#valueOf('wsrep_ready')) === 'ON'
    } catch {
      // It does not answer yet.
      return false
    }
  }

  async #valueOf(status: string): Promise<string | undefined> {
    const [[row]] = await this.run(`show status like '${status}'`)
    return row?.Value
  }

  /** Where a server that was killed has to begin: otherwise it copies all data of another one. */
  async #recovered(): Promise<string> {
    const child = this.#spawn(['--wsrep-recover'])
    await once(child, 'exit')
    const found = [...(await readFile(this.#log, 'utf8')).matchAll(/Recovered position: (\S+)/g)].at(-1)?.[1]
    if (found === undefined) throw new Error('no position was recovered')
    return found
  }

  #spawn(more: readonly string[]): ChildProcess {
    const { sql, group, transfer } = this.#ports
    const provider = [
      `gmcast.listen_addr=tcp://127.0.0.1:${group}`,
      `ist.recv_addr=127.0.0.1:${transfer}`,
      // The default takes 5 s until a silent server is left out.
      ...[
        'evs.suspect_timeout=PT2S',
        'evs.inactive_timeout=PT4S',
        'evs.keepalive_period=PT0.5S',
        'evs.inactive_check_period=PT0.5S',
      ],
      'gcache.size=64M',
    ]
    const log = openSync(this.#log, 'a')
    const child = spawn(
      findProgram('mariadbd') as string,
      [
        ...['--no-defaults', ...USER, `--datadir=${join(this.#folder, 'data')}`],
        ...[`--socket=${join(this.#folder, 'socket')}`, `--port=${sql}`, '--bind-address=127.0.0.1'],
        ...['--skip-name-resolve', '--skip-log-bin', '--binlog-format=ROW'],
        ...['--innodb-buffer-pool-size=64M', '--innodb-log-file-size=16M', '--innodb-autoinc-lock-mode=2'],
        ...['--wsrep-on=ON', `--wsrep-provider=${PROVIDER}`, '--wsrep-cluster-name=chatctl'],
        `--wsrep-cluster-address=${this.#cluster}`,
        ...['--wsrep-node-address=127.0.0.1', `--wsrep-provider-options=${provider.join(';')}`, ...more],
      ],
      { stdio: ['ignore', log, log] },
    )
    closeSync(log)
    return child
  }
}

/** A Galera cluster of three MariaDB servers on loopback, with an empty database `chat`. `close` stops and removes it. */
export async function startGalera() {
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-galera-'))
  await giveAway(folder)
  const all: Ports[] = []
  for (let n = 0; n < NODES; n++)
    all.push({ sql: await freePort(), group: await freePort(), transfer: await freePort() })
  const address = `gcomm://${all.map(({ group }) => `127.0.0.1:${group}`).join(',')}`
  const folders = all.map((_, n) => join(folder, String(n)))
  const nodes = all.map((ports, n) => new GaleraNode(folders[n] as string, ports, address))
  const close = async () => {
    for (const node of nodes) {
      node.signal('SIGCONT')
      await node.stop('SIGKILL')
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await install(folders[0] as string)
    await nodes[0]?.start({ isFirst: true })
    await nodes[0]?.run('create database chat')
    // Stopped, all begin with the same data, and nothing has to be copied while they run.
    await nodes[0]?.stop()
    for (const other of folders.slice(1)) await cp(folders[0] as string, other, { recursive: true })
    await giveAway(folder)
    await nodes[0]?.start({ isFirst: true })
    for (const node of nodes.slice(1)) await node.start()
  } catch (error) {
    await close()
    throw error
  }
  return { nodes, url: `mysql://root@${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}/chat`, close }
}

async function install(folder: string) {
  await mkdir(folder)
  await giveAway(folder)
  await promisify(execFile)(findProgram('mariadb-install-db') as string, [
    ...['--no-defaults', `--datadir=${join(folder, 'data')}`, '--skip-test-db'],
    ...['--auth-root-authentication-method=normal', ...USER],
  ])
}

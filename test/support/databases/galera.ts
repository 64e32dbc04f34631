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

const START_MS = 120_000
const NODES = 3

export const hasGalera = () => hasMariadb() && existsSync(PROVIDER)

interface Ports {
  readonly sql: number
  readonly group: number
  readonly transfer: number
}

/** Where a server of a Galera cluster runs. */
export interface GaleraPlace {
  readonly address: string
  readonly ports: Ports
  /** A program and its arguments to run the server under: `ip netns exec …`. */
  readonly under?: readonly string[]
}

/** One MariaDB server of a Galera cluster. */
export class GaleraNode {
  readonly port: number
  readonly #folder: string
  readonly #place: GaleraPlace
  readonly #cluster: string
  #child: ChildProcess | undefined

  constructor(folder: string, place: GaleraPlace, cluster: string) {
    this.#folder = folder
    this.#place = place
    this.#cluster = cluster
    this.port = place.ports.sql
  }

  get socket(): string {
    return join(this.#folder, 'socket')
  }

  /** Of the running server. @throws Error before its start */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the node of Galera was not started')
    return this.#child.pid
  }

  /** @param options.isFirst whether it begins a cluster */
  async start({ isFirst = false } = {}) {
    const end = performance.now() + START_MS
    do {
      this.#child = this.#spawn([isFirst ? '--wsrep-new-cluster' : `--wsrep-start-position=${await this.#recovered()}`])
      while (this.#child.exitCode === null && performance.now() < end) {
        if (await this.#isReady()) return
        await sleep(100)
      }
      // On a busy machine a server may end because it did not reach the others in time: it is started again.
    } while (performance.now() < end)
    throw new Error(`a node of Galera does not start: ${(await readFile(this.#log, 'utf8')).slice(-2000)}`)
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

  async run(sql: string, database = '') {
    const db = knex({
      client: 'mysql2',
      log: SILENT_LOG,
      connection: { socketPath: this.socket, user: 'root', database, connectTimeout: 1000 },
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
    const { address, ports, under = [] } = this.#place
    const provider = [
      `gmcast.listen_addr=tcp://${address}:${ports.group}`,
      `ist.recv_addr=${address}:${ports.transfer}`,
      // The default takes 5 s until a silent server is left out.
      ...[
        'evs.suspect_timeout=PT1.5S',
        'evs.inactive_timeout=PT6S',
        'evs.install_timeout=PT5S',
        'evs.keepalive_period=PT0.5S',
        'evs.inactive_check_period=PT0.5S',
      ],
      'gcache.size=64M',
    ]
    const log = openSync(this.#log, 'a')
    const [program, ...first]: readonly string[] = [...under, findProgram('mariadbd') as string]
    const child = spawn(
      program as string,
      [
        ...first,
        ...['--no-defaults', ...USER, `--datadir=${join(this.#folder, 'data')}`],
        ...[`--socket=${this.socket}`, `--port=${ports.sql}`, `--bind-address=${address}`],
        ...['--skip-name-resolve', '--skip-log-bin', '--binlog-format=ROW'],
        ...['--innodb-buffer-pool-size=64M', '--innodb-log-file-size=16M', '--innodb-autoinc-lock-mode=2'],
        ...['--wsrep-on=ON', `--wsrep-provider=${PROVIDER}`, '--wsrep-cluster-name=chatctl'],
        `--wsrep-cluster-address=${this.#cluster}`,
        ...[`--wsrep-node-address=${address}`, `--wsrep-provider-options=${provider.join(';')}`, ...more],
      ],
      { stdio: ['ignore', log, log] },
    )
    closeSync(log)
    return child
  }
}

/** A Galera cluster of three MariaDB servers on loopback, with an empty database `chat`. `close` stops and removes it. */
export async function startGalera() {
  const places: GaleraPlace[] = []
  for (let n = 0; n < NODES; n++)
    places.push({
      address: '127.0.0.1',
      ports: { sql: await freePort(), group: await freePort(), transfer: await freePort() },
    })
  const { nodes, close } = await startGaleraAt(places)
  return { nodes, url: `mysql://root@${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}/chat`, close }
}

/** The same at three places. */
export async function startGaleraAt(places: readonly GaleraPlace[]) {
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-galera-'))
  await giveAway(folder)
  const cluster = `gcomm://${places.map(({ address, ports }) => `${address}:${ports.group}`).join(',')}`
  const folders = places.map((_, n) => join(folder, String(n)))
  const nodes = places.map((place, n) => new GaleraNode(folders[n] as string, place, cluster))
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
  return { nodes, close }
}

async function install(folder: string) {
  await mkdir(folder)
  await giveAway(folder)
  await promisify(execFile)(findProgram('mariadb-install-db') as string, [
    ...['--no-defaults', `--datadir=${join(folder, 'data')}`, '--skip-test-db'],
    ...['--auth-root-authentication-method=normal', ...USER],
  ])
}

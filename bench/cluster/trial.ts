import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dataPaths } from '../../cli/server/paths.ts'
import { ceilingPairs } from '../ceiling.ts'
import * as load from '../load/index.ts'
import { countMessages } from '../measured.ts'
import type { PairShape } from '../options.ts'
import { profileOf } from '../profile/index.ts'
import { type BenchServer, cpuOf, startCeiling, startServer } from '../server.ts'
import type { SharedDatabase } from './database.ts'

/** Servers, and which of them the two of a pair are on. */
export interface Setup {
  readonly title: string
  readonly nodes: number
  /** `ceiling`: only encryption, an INSERT and forwarding. `alone`: a server without `--cluster`. */
  readonly kind: 'ceiling' | 'alone' | 'cluster'
  /** `first`: all pairs are on the first server. `across`: the two of a pair are on different nodes, pairs on all. */
  readonly pairs: 'first' | 'across'
}

export interface Stage {
  readonly database: SharedDatabase
  readonly nats: { readonly url: string; readonly pid: number }
  /** Bytes of text. */
  readonly size: number
  readonly warmUp: number
  readonly seconds: number
  /** See BenchOptions. */
  readonly build: string | undefined
  readonly profile: string | undefined
  readonly progress: load.Watcher['progress']
  readonly signal: AbortSignal
}

/** Milliseconds of CPU time for each message. */
export interface Cpu {
  readonly servers: readonly number[]
  readonly database: readonly number[]
  readonly nats: number
}

export interface TrialResult extends load.Result {
  readonly cpu: Cpu
  /** Messages of users in the database after the servers stopped; undefined for the ceiling. */
  readonly stored?: number
}

/**
 * Runs `pairs` on new servers with an empty database. The servers have ended when this settles.
 * @throws Error when a server does not start or fails, or when `signal` is aborted
 */
export async function trial(setup: Setup, shape: PairShape, stage: Stage): Promise<TrialResult> {
  const { database, signal } = stage
  signal.throwIfAborted()
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
  const { url, primary, drop } = await database.create()
  // Closes the connections of a failed load.
  const run = new AbortController()
  const servers: BenchServer[] = []
  try {
    const title = `${shape.pairs} pairs × ${shape.window}, ${setup.title}, ${database.name}`
    const profiles = await startServers(
      setup,
      { ...stage, url: setup.kind === 'ceiling' ? primary : url, folder, title },
      servers,
    )
    const cpu = new CpuTimes(servers, stage)
    const watcher: load.Watcher = {
      progress: (what, share) => stage.progress(`${title}: ${what}`, share),
      measuring: (on) => cpu.mark(on),
    }
    const result = await load.pairs(
      pairsOn(setup, servers),
      { ...shape, size: stage.size, warmUp: stage.warmUp, seconds: stage.seconds },
      watcher,
      AbortSignal.any([signal, run.signal]),
    )
    const used = await cpu.each(result.count)
    for (const [index, profile] of profiles.entries())
      await profile.summarize({ ...result, cpuMs: used.servers[index] as number })
    for (const server of servers) await server.stop()
    return { ...result, cpu: used, ...(setup.kind !== 'ceiling' && { stored: await countMessages(primary) }) }
  } finally {
    run.abort()
    await Promise.all(servers.map((server) => server.kill()))
    await drop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Place extends Stage {
  readonly url: string
  /** For data folders. */
  readonly folder: string
  readonly title: string
}

/** Starts the servers one after the other, each added to `servers` at once; returns their profiles, if wanted. */
async function startServers({ kind, nodes }: Setup, place: Place, servers: BenchServer[]) {
  const { url: db, size, nats, profile: profiles, title, signal } = place
  const first = await mkdtemp(join(place.folder, 'node-'))
  if (kind === 'ceiling') {
    servers.push(await startCeiling({ data: first, db, size }))
    return []
  }
  const profiled = []
  for (let n = 1; n <= nodes; n++) {
    signal.throwIfAborted()
    const data = n === 1 ? first : await mkdtemp(join(place.folder, 'node-'))
    if (n > 1) await copyIdentity(first, data)
    const profile = profiles === undefined ? undefined : await profileOf(profiles, `${title}, node ${n}`)
    if (profile !== undefined) profiled.push(profile)
    const args = kind === 'alone' ? [] : ['--cluster', nats.url, '--node-name', `node-${n}`]
    const files = ['--files', join(place.folder, 'files')]
    const { build } = place
    servers.push(await startServer({ data, db, build, profile: profile?.file, args: [...args, ...files] }))
  }
  return profiled
}

async function copyIdentity(from: string, to: string) {
  const [source, target] = [dataPaths(from), dataPaths(to)]
  await copyFile(source.key, target.key)
  await copyFile(source.secret, target.secret)
}

function pairsOn({ kind, pairs }: Setup, servers: readonly BenchServer[]): load.MakePair {
  const addresses = servers.map(({ port }) => ({ host: '127.0.0.1', port }))
  const on = (n: number) => addresses[n % addresses.length] as (typeof addresses)[number]
  if (kind === 'ceiling') return ceilingPairs(on(0).port)
  if (pairs === 'first') return load.friendsOn(on(0))
  const makers = addresses.map((address, n) => load.friendsOn(address, on(n + 1)))
  return (index, signal) => (makers[index % makers.length] as load.MakePair)(index, signal)
}

/** CPU times of all processes at the beginning and at the end of the measured time. */
class CpuTimes {
  readonly #servers: readonly BenchServer[]
  readonly #database: readonly number[]
  readonly #nats: number
  readonly #marks: Promise<number[]>[] = []
  readonly #profiles: Promise<void>[] = []

  constructor(servers: readonly BenchServer[], { database, nats }: Stage) {
    this.#servers = servers
    this.#database = database.pids
    this.#nats = nats.pid
  }

  mark(on: boolean) {
    if (on) for (const server of this.#servers) server.startProfile?.()
    const pids = [...this.#servers.map(({ pid }) => pid), ...this.#database, this.#nats]
    this.#marks.push(Promise.all(pids.map(cpuOf)))
    if (on) return
    for (const { endProfile } of this.#servers) if (endProfile !== undefined) this.#profiles.push(endProfile())
  }

  /** Differences, for each of so many messages; resolves when the profiles are written as well. */
  async each(count: number): Promise<Cpu> {
    const [before = [], after = []] = await Promise.all(this.#marks)
    await Promise.all(this.#profiles)
    const used = after.map((time, index) => (time - (before[index] ?? 0)) / count)
    const servers = this.#servers.length
    return { servers: used.slice(0, servers), database: used.slice(servers, -1), nats: used.at(-1) ?? 0 }
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MSG_TYPE, openDatabase } from '../db/index.ts'
import type { Result, Watcher } from './load/index.ts'
import type { BenchServer } from './server.ts'

/** A result with its cost for the server. */
export interface Measured extends Result {
  /** CPU time of the server per unit of `count`, milliseconds, all threads. */
  readonly cpuMs: number
  /** Resident memory of the server at the end of the measured time, bytes. */
  readonly memory: number
  /** Longest turn of the server's event loop, milliseconds; see `Trial.measuresLoop`. */
  readonly longestTurn?: number
  /** Messages of users in the database after the server stopped, for workloads that count acknowledged ones. */
  readonly stored?: number
}

export interface Trial {
  /** Starts a server on an empty data folder. */
  readonly start: (data: string) => Promise<BenchServer>
  readonly load: (server: BenchServer, watcher: Watcher, signal: AbortSignal) => Promise<Result>
  /** Path or URL of the database in which messages are counted; default: not counted. */
  readonly database?: (data: string) => string
  /** Whether the server measures its event loop, see LOOP_DELAY. */
  readonly measuresLoop?: boolean
  readonly progress: Watcher['progress']
  readonly signal: AbortSignal
}

/**
 * Runs one load on a new server in a temporary folder. The server has ended when this settles.
 * @throws Error when the server does not start, fails or refuses, or when `signal` is aborted
 */
export async function measured({ start, load, database, measuresLoop, progress, signal }: Trial): Promise<Measured> {
  signal.throwIfAborted()
  const data = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
  // Closes the connections of a failed load.
  const run = new AbortController()
  try {
    const server = await start(data)
    const cpu: Promise<number>[] = []
    const memory: Promise<number>[] = []
    const turns: Promise<number>[] = []
    const profiles: Promise<void>[] = []
    const watcher = {
      progress,
      measuring(on: boolean) {
        if (on) server.startProfile?.()
        cpu.push(server.cpu())
        if (!on && server.endProfile !== undefined) profiles.push(server.endProfile())
        if (!on) memory.push(server.memory())
        if (measuresLoop) turns.push(server.loopDelay())
      },
    }
    let result: Result
    let figures: [cpu: number[], memory: number[], turns: number[]]
    try {
      result = await load(server, watcher, AbortSignal.any([signal, run.signal]))
      figures = await Promise.all([Promise.all(cpu), Promise.all(memory), Promise.all(turns)])
      await Promise.all(profiles)
    } catch (error) {
      await server.kill()
      throw error
    }
    await server.stop()
    const [[before = 0, after = 0], [resident = 0], [, longestTurn]] = figures
    return {
      ...result,
      cpuMs: (after - before) / result.count,
      memory: resident,
      ...(longestTurn !== undefined && { longestTurn }),
      ...(database !== undefined &&
        result.acknowledged !== undefined && { stored: await countMessages(database(data)) }),
    }
  } finally {
    run.abort()
    await rm(data, { recursive: true, force: true })
  }
}

/** Counts messages of users in a stopped server's database, which also contains system messages about friendships. */
export async function countMessages(where: string): Promise<number> {
  const db = await openDatabase(where)
  try {
    const [row] = await db('chatmsg').whereIn('msg_type', [MSG_TYPE.chat, MSG_TYPE.group]).count({ count: '*' })
    return Number(row?.count)
  } finally {
    await db.destroy()
  }
}

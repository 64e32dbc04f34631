import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Column } from '../../cli/output/output.ts'
import { dataPaths } from '../../cli/server/paths.ts'
import { backUp } from '../../db/index.ts'
import type { Watcher } from '../load/index.ts'
import { type BenchServer, startServer } from '../server.ts'
import { type Operation, operationsOn } from './operations.ts'
import { seed } from './seed.ts'

/** Cost of one operation at one size of the database. */
interface Cost {
  /** Median time as the client sees it, milliseconds. */
  readonly ms: number
  /** CPU time of the server, milliseconds; undefined if no server is involved. */
  readonly cpuMs?: number
}

export interface GrownRow {
  readonly operation: string
  /** By messages in the database. */
  readonly costs: Readonly<Record<number, Cost>>
}

export interface GrownOptions {
  /** Messages in the database, ascending. */
  readonly sizes: readonly number[]
  /** URL of an empty database for each size; SQLite if left out. */
  readonly newDatabase?: (() => Promise<{ readonly url: string; drop(): Promise<void> }>) | undefined
  readonly build?: string | undefined
  /** Time for which each operation is repeated, at least MIN_RUNS times. */
  readonly milliseconds: number
  readonly progress: Watcher['progress']
  readonly signal: AbortSignal
}

const [MIN_RUNS, MAX_RUNS] = [5, 400]
const STARTS = 3

/** The same operations on databases of several sizes. */
export async function grown(options: GrownOptions): Promise<GrownRow[]> {
  const rows = new Map<string, Record<number, Cost>>()
  for (const size of options.sizes) {
    for (const [operation, cost] of await atSize(size, options)) {
      const costs = rows.get(operation) ?? {}
      costs[size] = cost
      rows.set(operation, costs)
    }
  }
  return [...rows].map(([operation, costs]) => ({ operation, costs }))
}

async function atSize(size: number, { newDatabase, build, milliseconds, progress, signal }: GrownOptions) {
  const data = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
  const database = await newDatabase?.()
  const where = database?.url ?? dataPaths(data).database
  const start = () => startServer({ data, db: database?.url, build })
  const costs = new Map<string, Cost>()
  try {
    // The server makes the tables.
    await (await start()).stop()
    const accounts = await seed(where, size, (share) => progress(`seeding ${size} messages`, share))
    for (let nth = 1; nth < STARTS; nth++) await (await start()).stop()
    const began = performance.now()
    const server = await start()
    costs.set('start', { ms: performance.now() - began, cpuMs: await server.cpu() })
    try {
      const address = { host: '127.0.0.1', port: server.port }
      const { operations, end } = await operationsOn(address, accounts, size, signal)
      for (const [nth, operation] of operations.entries()) {
        progress(`${operation.name}, ${size} messages`, nth / operations.length)
        costs.set(operation.name, await costOf(operation, server, { milliseconds, signal }))
      }
      end()
      progress(`backup, ${size} messages`, 1)
      const backupBegan = performance.now()
      await backUp(where, join(data, 'backup'))
      costs.set('db backup', { ms: performance.now() - backupBegan })
      await server.stop()
    } catch (error) {
      await server.kill()
      throw error
    }
    return costs
  } finally {
    await database?.drop()
    await rm(data, { recursive: true, force: true })
  }
}

async function costOf(
  { run }: Operation,
  server: BenchServer,
  { milliseconds, signal }: Pick<GrownOptions, 'milliseconds' | 'signal'>,
): Promise<Cost> {
  const times: number[] = []
  // The first run reads pages that later ones find in memory.
  await run(0)
  const before = await server.cpu()
  for (let total = 0; (times.length < MIN_RUNS || total < milliseconds) && times.length < MAX_RUNS; ) {
    signal.throwIfAborted()
    const began = performance.now()
    await run(times.length + 1)
    const ms = performance.now() - began
    times.push(ms)
    total += ms
  }
  const cpuMs = ((await server.cpu()) - before) / times.length
  return { ms: times.sort((a, b) => a - b)[Math.floor(times.length / 2)] as number, cpuMs }
}

const figure = (value: number | undefined) => value?.toFixed(value < 10 ? 2 : 0)

/** The steadier figure: others may share the machine. */
const steady = ({ ms, cpuMs }: Cost) => cpuMs ?? ms

/** Columns of the table: time and CPU at each size, and the growth of the CPU time from the first size to the last. */
export function grownColumns(sizes: readonly number[]): Column<GrownRow>[] {
  const [first = 0, last = 0] = [sizes[0], sizes.at(-1)]
  const of = (size: number): Column<GrownRow>[] => [
    { title: `${size.toLocaleString('en')}: ms`, value: ({ costs }) => figure(costs[size]?.ms) },
    { title: 'CPU ms', value: ({ costs }) => figure(costs[size]?.cpuMs) },
  ]
  const growth = ({ costs }: GrownRow) => steady(costs[last] as Cost) / steady(costs[first] as Cost)
  return [
    { title: 'operation', value: ({ operation }) => operation },
    ...sizes.flatMap(of),
    ...(sizes.length > 1 ? [{ title: 'growth', value: (row: GrownRow) => `${growth(row).toFixed(1)} ×` }] : []),
  ]
}

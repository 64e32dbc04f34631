// `npm run bench`: see README.md beside this file.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT } from '../cli/errors/exit.ts'
import { Output } from '../cli/output/output.ts'
import { ProgressBar } from '../cli/output/progress.ts'
import { dataPaths } from '../cli/server/paths.ts'
import { newDatabase, startMariadb } from '../test/support/databases/mariadb.ts'
import { COMPARISON_COLUMNS, clusterColumns, comparisons } from './cluster/figures.ts'
import { onCluster } from './cluster/index.ts'
import { grown, grownColumns } from './grown/index.ts'
import { type Measured, measured, type Trial } from './measured.ts'
import { type BenchOptions, readOptions } from './options.ts'
import { type Plan, plans } from './plans.ts'
import { profileOf } from './profile/index.ts'
import { LOOP_DELAY, PINNED, pin, startCeiling, startServer } from './server.ts'
import { mysqlAlone, type StoreResult, sqliteAlone } from './store.ts'
import { COLUMNS, type Row, STORE_COLUMNS, writeTable } from './tables.ts'

const ROWS_PER_TRANSACTION = [50, 500]
/** Longest measurement of a database alone, whose rate is steady. */
const MAX_STORE_SECONDS = 2
/** Time for which each request is repeated on a grown database. */
const GROWN_MS = 400
/** The default limits, except that all accounts of an attack are registered from one address. */
const HOSTILE_LIMITS = { registrations: Number.MAX_SAFE_INTEGER }

const interrupt = new AbortController()
const progress = new ProgressBar('%')

/** Runs the selected measurements, one after the other. */
async function bench(options: BenchOptions, mysql: string | undefined) {
  const stores = await benchStores(options, mysql)
  const rows: Row[] = []
  const grownRows = options.workloads.includes('grown') ? await onGrown(options, mysql) : []
  for (const workload of options.workloads) {
    for (const plan of plans(workload, options)) {
      const { title, ceiling, isLimited } = plan
      const ceilingResult = ceiling && (await onCeiling(`${title}, ceiling`, ceiling, options, mysql))
      for (const version of versionsOf(options)) {
        const result = onServer(plan, version, options, mysql)
        // A server that an attack brings down is a result too.
        const row = isLimited ? await result.catch((error: Error) => serverEnded(title, error)) : await result
        rows.push(withRatio({ ...row, version: version.name }, ceilingResult?.perSecond))
      }
    }
  }
  return { stores, rows, grownRows }
}

interface Version {
  /** Undefined if only one is measured. */
  readonly name?: string
  /** See StartOptions. */
  readonly build: string | undefined
}

const versionsOf = ({ before, build }: BenchOptions): Version[] =>
  before === undefined
    ? [{ build }]
    : [
        { name: 'before', build: before },
        { name: 'after', build },
      ]

const onGrown = ({ rows, build }: BenchOptions, mysql: string | undefined) =>
  grown({
    sizes: rows,
    newDatabase: mysql === undefined ? undefined : () => newDatabase(mysql),
    build,
    milliseconds: GROWN_MS,
    progress: (what, share) => progress.update(what, share * 100, 100),
    signal: interrupt.signal,
  })

type Load = Pick<Trial, 'start' | 'load'>

const none = { rows: [], stores: [] }

const cluster = async (options: BenchOptions) =>
  options.workloads.includes('cluster')
    ? onCluster({
        ...options,
        shapes: options.clusterShapes,
        progress: (what, share) => progress.update(what, share * 100, 100),
        signal: interrupt.signal,
      })
    : none

const trial = (title: string, { start, load }: Load): Trial => ({
  start,
  load,
  progress: (what, share) => progress.update(`${title}: ${what}`, share * 100, 100),
  signal: interrupt.signal,
})

/** Result of an attack that brought down the server. */
function serverEnded(attack: string, error: Error): Measured {
  interrupt.signal.throwIfAborted()
  process.stderr.write(`error: ${attack}: ${error.message}\n`)
  const none = { unit: 'answers', count: 0, seconds: 0, perSecond: 0, cpuMs: 0, memory: 0 }
  return { workload: 'hostile', shape: `${attack}: the server ended`, ...none }
}

async function onCeiling(title: string, run: Trial['load'], { size }: BenchOptions, mysql: string | undefined) {
  const database = mysql === undefined ? undefined : await newDatabase(mysql)
  try {
    return await measured(trial(title, { start: (data) => startCeiling({ data, db: database?.url, size }), load: run }))
  } finally {
    await database?.drop()
  }
}

async function onServer(
  { title, run, isLimited = false }: Plan,
  { name, build }: Version,
  { profile, transport, db }: BenchOptions,
  mysql: string | undefined,
) {
  const of = [title, db, ...(name === undefined ? [] : [name])].join(', ')
  // Both wait for the same signal.
  const profiled = profile === undefined || isLimited ? undefined : await profileOf(profile, of)
  const server = {
    node: isLimited ? LOOP_DELAY : [],
    build,
    http: transport === 'ws' ? 0 : undefined,
    profile: profiled?.file,
    ...(isLimited && { limits: HOSTILE_LIMITS }),
  }
  const database = mysql === undefined ? undefined : await newDatabase(mysql)
  try {
    const result = await measured({
      ...trial(of, { start: (data) => startServer({ ...server, data, db: database?.url }), load: run }),
      measuresLoop: isLimited,
      database: (data) => database?.url ?? dataPaths(data).database,
    })
    await profiled?.summarize(result)
    return result
  } finally {
    await database?.drop()
  }
}

const withRatio = (result: Row, ceiling: number | undefined): Row =>
  ceiling === undefined ? result : { ...result, ceiling, ratio: result.perSecond / ceiling }

/** Measures the databases alone, from this process. */
async function benchStores({ size, seconds, workloads }: BenchOptions, mysql: string | undefined) {
  const results: StoreResult[] = []
  // Other workloads store little.
  if (!workloads.includes('pairs')) return results
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-bench-'))
  try {
    for (const rows of ROWS_PER_TRANSACTION) {
      const optionsOf = (database: string) => ({
        rows,
        size,
        seconds: Math.min(seconds, MAX_STORE_SECONDS),
        onProgress: (share: number) =>
          progress.update(`${database} alone, ${rows} rows a transaction`, share * 100, 100),
        signal: interrupt.signal,
      })
      results.push(await sqliteAlone(join(folder, `${rows}.db`), optionsOf('SQLite')))
      if (mysql === undefined) continue
      const { url, drop } = await newDatabase(mysql)
      try {
        results.push(await mysqlAlone(url, optionsOf('MariaDB')))
      } finally {
        await drop()
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return results
}

/** Runs `work` with a private MariaDB server, if one is needed. */
async function withMysql<T>(db: BenchOptions['db'], work: (server: string | undefined) => Promise<T>): Promise<T> {
  if (db === 'sqlite') return work(undefined)
  const mariadb = await startMariadb()
  const kill = () => mariadb.signal('SIGKILL')
  process.on('exit', kill)
  try {
    return await work(mariadb.server)
  } finally {
    await mariadb.close()
    process.off('exit', kill)
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second signal exits at once; child servers are killed on exit.
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted)
    interrupt.abort(new Error('stopped'))
  })
}

async function main(): Promise<number> {
  const options = await readOptions(process.argv.slice(2))
  if (options.profile !== undefined) await mkdir(options.profile, { recursive: true })
  // Before MariaDB starts, which inherits the core; the server gets the other one.
  pin(process.pid, 1)
  const { stores, rows, grownRows } = await withMysql(options.db, (mysql) => bench(options, mysql))
  const { rows: nodes, stores: shared } = await cluster(options)
  progress.end()
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    pinned: PINNED,
  }
  const output = new Output(options.json ? 'json' : 'table', undefined)
  if (options.json)
    await output.item(
      {
        machine,
        db: options.db,
        transport: options.transport,
        stores: [...stores, ...shared],
        results: rows,
        grown: grownRows,
        cluster: nodes,
        clusterCompared: comparisons(nodes),
      },
      [],
    )
  else {
    await writeTable(output, rows, COLUMNS)
    await writeTable(output, nodes, clusterColumns(nodes))
    await writeTable(output, comparisons(nodes), COMPARISON_COLUMNS)
    await writeTable(output, [...stores, ...shared], STORE_COLUMNS)
    await writeTable(output, grownRows, grownColumns(options.rows))
    const where = machine.pinned ? 'servers on core 0, load, databases and NATS on core 1' : 'NOT pinned to cores'
    // A cluster has its database in its table.
    const on = rows.length + grownRows.length > 0 ? `${options.db}, ${options.transport}; ` : ''
    await output.write(`${on}${machine.cores} × ${machine.cpu}, Node ${machine.node}; ${where}\n`)
  }
  const ofUsers = [...rows, ...nodes.filter(({ setup }) => setup.kind !== 'ceiling')]
  const mismatches = ofUsers.filter(({ stored, acknowledged }) => stored !== acknowledged)
  for (const { workload, shape, stored, acknowledged } of mismatches)
    process.stderr.write(`error: ${workload}, ${shape}: ${acknowledged} acknowledged, but ${stored} stored\n`)
  return mismatches.length === 0 ? EXIT.ok : EXIT.failed
}

try {
  process.exitCode = await main()
} catch (error) {
  progress.end()
  process.stderr.write(`error: ${(error as Error).message}\n`)
  process.exitCode = interrupt.signal.aborted ? EXIT.interrupted : EXIT.failed
}

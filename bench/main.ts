// `npm run bench`: see README.md beside this file.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { EXIT } from '../cli/errors/exit.ts'
import { Output } from '../cli/output/output.ts'
import { ProgressBar } from '../cli/output/progress.ts'
import { dataPaths } from '../cli/server/paths.ts'
import type { Address } from '../client/channel.ts'
import { newDatabase, startMariadb } from '../test/support/databases/mariadb.ts'
import { CeilingUser } from './ceiling.ts'
import { grown, grownColumns } from './grown/index.ts'
import { ATTACKS } from './hostile/attacks.ts'
import { hostile } from './hostile/bystander.ts'
import * as load from './load/index.ts'
import { type Measured, measured, type Trial } from './measured.ts'
import { type BenchOptions, type PairShape, readOptions, type Workload } from './options.ts'
import { type BenchServer, LOOP_DELAY, PINNED, pin, startCeiling, startServer } from './server.ts'
import { mysqlAlone, type StoreResult, sqliteAlone } from './store.ts'
import { COLUMNS, type Row, STORE_COLUMNS, writeTable } from './tables.ts'

const ROWS_PER_TRANSACTION = [50, 500]
/** Longest measurement of a database alone, whose rate is steady. */
const MAX_STORE_SECONDS = 2
const [POSTERS, GROUP_WINDOW] = [10, 8]
const [LOGIN_USERS, LOGIN_WINDOW] = [100, 16]
/** Time for which each request is repeated on a grown database. */
const GROWN_MS = 400
/** The default limits, except that all accounts of an attack are registered from one address. */
const HOSTILE_LIMITS = { registrations: Number.MAX_SAFE_INTEGER }
/** The default limit of a server. */
const SESSIONS_PER_USER = 10

const interrupt = new AbortController()
const progress = new ProgressBar('%')

/** Runs the selected measurements, one after the other. */
async function bench(options: BenchOptions, mysql: string | undefined) {
  const stores = await benchStores(options, mysql)
  const rows: Row[] = []
  const grownRows = options.workloads.includes('grown') ? await onGrown(options, mysql) : []
  for (const workload of options.workloads) {
    for (const { title, ceiling, run, isLimited } of trials(workload, options)) {
      const ceilingResult = ceiling && (await onCeiling(`${title}, ceiling`, ceiling, options, mysql))
      const result = onServer(title, { run, isLimited }, options, mysql)
      // A server that an attack brings down is a result too.
      const row = isLimited ? await result.catch((error: Error) => serverEnded(title, error)) : await result
      rows.push(withRatio(row, ceilingResult?.perSecond))
    }
  }
  return { stores, rows, grownRows }
}

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

interface Plan {
  readonly title: string
  /** The same load on the ceiling's server. */
  readonly ceiling?: Trial['load']
  readonly run: Trial['load']
  /** Whether the server runs with its default limits. */
  readonly isLimited?: boolean | undefined
}

const trial = (title: string, { start, load }: Load): Trial => ({
  start,
  load,
  progress: (what, share) => progress.update(`${title}: ${what}`, share * 100, 100),
  signal: interrupt.signal,
})

/** Where the load connects: to the WebSocket of a server that has one. */
const addressOf = ({ port, http }: BenchServer): Address =>
  http === undefined ? { host: '127.0.0.1', port } : { url: `${http.replace('http', 'ws')}/chat` }

function trials(workload: Workload, options: BenchOptions): Plan[] {
  const { members, messages, size } = options
  switch (workload) {
    case 'pairs':
      return options.shapes.map((shape) => pairs(shape, options))
    case 'group': {
      const group = { ...options, members, posters: Math.min(POSTERS, members), window: GROUP_WINDOW }
      return [{ title: `group of ${members}`, run: (server, ...rest) => load.group(addressOf(server), group, ...rest) }]
    }
    case 'logins': {
      const logins = { ...options, users: LOGIN_USERS, window: LOGIN_WINDOW }
      return [false, true].map((receives) => ({
        title: receives ? 'logins with receive' : 'logins',
        run: (server, ...rest) => load.logins(addressOf(server), { ...logins, receives }, ...rest),
      }))
    }
    case 'idle':
      return options.sessions.map((sessions) => ({
        title: `${sessions} idle sessions`,
        run: (server, ...rest) =>
          load.idle(addressOf(server), { sessions, perUser: SESSIONS_PER_USER, memory: server.memory }, ...rest),
      }))
    case 'unread':
      return [
        {
          title: `${messages} unread`,
          run: (server, ...rest) => load.unread(addressOf(server), { messages, size }, ...rest),
        },
      ]
    // Measured by itself: its figures are not rates.
    case 'grown':
      return []
    case 'hostile':
      return attacksOf(options).map((attack) => ({
        title: attack.name,
        isLimited: true,
        run: ({ port }, ...rest) => hostile({ host: '127.0.0.1', port }, attack, options.seconds, ...rest),
      }))
  }
}

/** Result of an attack that brought down the server. */
function serverEnded(attack: string, error: Error): Measured {
  interrupt.signal.throwIfAborted()
  process.stderr.write(`error: ${attack}: ${error.message}\n`)
  const none = { unit: 'answers', count: 0, seconds: 0, perSecond: 0, cpuMs: 0, memory: 0 }
  return { workload: 'hostile', shape: `${attack}: the server ended`, ...none }
}

function attacksOf({ attacks }: BenchOptions) {
  const unknown = attacks?.find((name) => !ATTACKS.some((attack) => attack.name === name))
  if (unknown !== undefined)
    throw new Error(`there is no attack "${unknown}": ${ATTACKS.map(({ name }) => name).join(', ')}`)
  return ATTACKS.filter(({ name }) => attacks?.includes(name) ?? true)
}

function pairs(shape: PairShape, { size, seconds, warmUp }: BenchOptions): Plan {
  const options = { ...shape, size, seconds, warmUp }
  return {
    title: `${shape.pairs} pairs × ${shape.window}`,
    ceiling: ({ port }, ...rest) => load.pairs(ceilingPairs(port), options, ...rest),
    run: (server, ...rest) => load.pairs(load.friendsOn(addressOf(server)), options, ...rest),
  }
}

/** Connects pairs to the ceiling's server serially: it recognises them by their order. */
function ceilingPairs(port: number): load.MakePair {
  let last: Promise<unknown> = Promise.resolve()
  return (index, signal) => {
    const pair = last.then(async (): Promise<[CeilingUser, CeilingUser]> => {
      const sender = await CeilingUser.connect(port, `a${index}`, signal)
      return [sender, await CeilingUser.connect(port, `b${index}`, signal)]
    })
    last = pair
    return pair
  }
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
  title: string,
  { run, isLimited = false }: Pick<Plan, 'run' | 'isLimited'>,
  { profile, build, transport }: BenchOptions,
  mysql: string | undefined,
) {
  const node = [
    ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profile)}`]),
    ...(isLimited ? LOOP_DELAY : []),
  ]
  const server = { node, build, http: transport === 'ws' ? 0 : undefined, ...(isLimited && { limits: HOSTILE_LIMITS }) }
  const database = mysql === undefined ? undefined : await newDatabase(mysql)
  try {
    return await measured({
      ...trial(title, { start: (data) => startServer({ ...server, data, db: database?.url }), load: run }),
      measuresLoop: isLimited,
      database: (data) => database?.url ?? dataPaths(data).database,
    })
  } finally {
    await database?.drop()
  }
}

const withRatio = (result: Measured, ceiling: number | undefined): Row =>
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
      { machine, db: options.db, transport: options.transport, stores, results: rows, grown: grownRows },
      [],
    )
  else {
    await writeTable(output, rows, COLUMNS)
    await writeTable(output, stores, STORE_COLUMNS)
    await writeTable(output, grownRows, grownColumns(options.rows))
    const where = machine.pinned ? 'server on core 0, load and database on core 1' : 'NOT pinned to cores'
    await output.write(
      `${options.db}, ${options.transport}; ${machine.cores} × ${machine.cpu}, Node ${machine.node}; ${where}\n`,
    )
  }
  const mismatches = rows.filter(({ stored, acknowledged }) => stored !== acknowledged)
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

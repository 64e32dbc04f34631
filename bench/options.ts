import { readFileSync } from 'node:fs'
import yargs, { type Options } from 'yargs'

export const WORKLOADS = ['pairs', 'group', 'logins', 'idle', 'unread', 'hostile', 'grown', 'cluster'] as const
export type Workload = (typeof WORKLOADS)[number]

/** Attacks do not measure speed, a grown database takes long to fill, and a cluster needs MariaDB and NATS. */
const OPTIONAL: readonly Workload[] = ['hostile', 'grown', 'cluster']
const DEFAULT_WORKLOADS = WORKLOADS.filter((name) => !OPTIONAL.includes(name))

export interface PairShape {
  readonly pairs: number
  readonly window: number
}

/** Default shapes: large batches, the same load over more connections, one message in flight per sender, no load. */
const DEFAULT_SHAPES: readonly PairShape[] = [
  { pairs: 100, window: 32 },
  { pairs: 1000, window: 4 },
  { pairs: 100, window: 1 },
  { pairs: 1, window: 1 },
]

/** The same for a cluster, where each shape is measured on several setups. */
const CLUSTER_SHAPES = DEFAULT_SHAPES.filter(({ pairs }) => pairs <= 100)

const IDLE_SESSIONS = [5000, 20_000]
/** More share a core, and tell nothing new. */
const MAX_NODES = 8
/** Open files of a process besides the connections of the idle workload. */
const OTHER_FILES = 500

export interface BenchOptions {
  readonly db: 'sqlite' | 'mysql'
  readonly transport: 'tcp' | 'ws'
  readonly workloads: readonly Workload[]
  readonly shapes: readonly PairShape[]
  /** Shapes of the workload `cluster`. */
  readonly clusterShapes: readonly PairShape[]
  /** Numbers of nodes of the workload `cluster`. */
  readonly nodes: readonly number[]
  /** Times that it measures each setup. */
  readonly rounds: number
  /** Whether its nodes share a Galera cluster instead of one MariaDB server. */
  readonly galera: boolean
  readonly sessions: readonly number[]
  readonly members: number
  readonly messages: number
  readonly size: number
  readonly seconds: number
  readonly warmUp: number
  readonly attacks: readonly string[] | undefined
  /** Messages in the databases of the workload `grown`. */
  readonly rows: readonly number[]
  readonly build: string | undefined
  /** `dist` folder of another version, measured before the other one in each trial. */
  readonly before: string | undefined
  readonly json: boolean
  readonly profile: string | undefined
}

const OPTIONS = {
  db: {
    choices: ['sqlite', 'mysql'] as const,
    default: 'sqlite' as const,
    describe: 'database of the server; a cluster has MariaDB',
  },
  transport: {
    choices: ['tcp', 'ws'] as const,
    default: 'tcp' as const,
    describe:
      'how the load connects: over TCP, or over WebSockets; the workloads hostile and cluster, and the ceiling: TCP',
  },
  workload: {
    type: 'string',
    default: DEFAULT_WORKLOADS.join(),
    describe: `workloads, comma-separated: ${WORKLOADS.join()}`,
  },
  shapes: {
    type: 'string',
    describe: 'PAIRSxWINDOW, comma-separated; default 100x32,1000x4,100x1,1x1; of a cluster without 1000x4',
  },
  pairs: { type: 'number', describe: 'one shape instead: pairs of users' },
  window: { type: 'number', describe: 'its messages in flight per sender' },
  members: { type: 'number', default: 100, describe: 'members of the group' },
  sessions: {
    type: 'number',
    describe: 'idle sessions; default 5000, and 20000 if the limit of open files allows',
  },
  messages: { type: 'number', default: 10_000, describe: 'unread messages' },
  size: { type: 'number', default: 64, describe: 'bytes of text' },
  seconds: { type: 'number', default: 5, describe: 'measured time per figure' },
  'warm-up': { type: 'number', default: 2, describe: 'seconds before it' },
  attacks: { type: 'string', describe: 'attacks of the hostile workload, comma-separated; default all' },
  rows: { type: 'string', default: '10000,1000000', describe: 'messages of the grown workload, ascending' },
  build: { type: 'string', describe: 'dist folder of another version to measure' },
  before: {
    type: 'string',
    describe: 'dist folder of a version to measure first in each trial, to compare the two',
  },
  profile: {
    type: 'string',
    describe: 'folder for CPU profiles of the server while it is measured, with summaries',
  },
  nodes: { type: 'string', default: '1,2,3', describe: 'nodes of the cluster, each number is measured' },
  rounds: { type: 'number', default: 1, describe: 'times that each setup of a cluster is measured; medians count' },
  galera: { type: 'boolean', default: false, describe: 'three Galera servers for the cluster instead of one MariaDB' },
  json: { type: 'boolean', default: false, describe: 'results as JSON' },
} satisfies Record<string, Options>

/** Parses the command line. @throws Error for invalid options */
export async function readOptions(argv: readonly string[]): Promise<BenchOptions> {
  const args = await yargs(argv)
    .scriptName('npm run bench --')
    .usage('$0 [options]\n\nMeasures a server that it starts; bench/README.md explains the figures.')
    .locale('en')
    .options(OPTIONS)
    .example('$0 --workload pairs --pairs 100 --window 32', 'one shape')
    .strict()
    .help()
    .version(false)
    .wrap(Math.min(110, process.stdout.columns || 110))
    .fail((message, error) => {
      throw error ?? new Error(message)
    })
    .parseAsync()
  for (const name of ['pairs', 'window', 'members', 'sessions', 'messages', 'size', 'rounds'] as const) {
    const value = args[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new Error(`--${name} must be a positive integer`)
  }
  if (args.members < 2) throw new Error('--members must be at least 2')
  if (!(args.seconds > 0 && args.warmUp >= 0)) throw new Error('--seconds must be above 0, --warm-up 0 or more')
  const { db, transport, members, messages, size, seconds, warmUp, build, before, json, profile, rounds, galera } = args
  return {
    db,
    transport,
    workloads: workloadsOf(args.workload),
    shapes: shapesOf(args),
    clusterShapes: shapesOf(args, CLUSTER_SHAPES),
    nodes: nodesOf(args.nodes),
    rounds,
    galera,
    sessions: sessionsOf(args.sessions),
    members,
    messages,
    size,
    seconds,
    warmUp,
    attacks: args.attacks?.split(','),
    rows: rowsOf(args.rows),
    build,
    before,
    json,
    profile,
  }
}

function workloadsOf(words: string): Workload[] {
  return words.split(',').map((word) => {
    const workload = WORKLOADS.find((name) => name === word)
    if (workload === undefined) throw new Error(`there is no workload "${word}": ${WORKLOADS.join(', ')}`)
    return workload
  })
}

function rowsOf(text: string): number[] {
  const rows = text.split(',').map(Number)
  if (rows.some((count) => !Number.isSafeInteger(count) || count < 1000))
    throw new Error('--rows must be numbers from 1000 on, comma-separated')
  return rows.sort((a, b) => a - b)
}

function nodesOf(text: string): number[] {
  const nodes = text.split(',').map(Number)
  if (nodes.some((count) => !Number.isInteger(count) || count < 1 || count > MAX_NODES))
    throw new Error(`--nodes must be numbers from 1 to ${MAX_NODES}, comma-separated`)
  return [...new Set(nodes)].sort((a, b) => a - b)
}

interface ShapeArgs {
  readonly shapes: string | undefined
  readonly pairs: number | undefined
  readonly window: number | undefined
}

function shapesOf({ shapes, pairs, window }: ShapeArgs, standard = DEFAULT_SHAPES): readonly PairShape[] {
  if (pairs !== undefined || window !== undefined) return [{ pairs: pairs ?? 100, window: window ?? 32 }]
  if (shapes === undefined) return standard
  return shapes.split(',').map((shape) => {
    const [, pairs, window] = /^([1-9]\d{0,5})x([1-9]\d{0,4})$/.exec(shape) ?? []
    if (pairs === undefined) throw new Error(`"${shape}" is not a shape: PAIRSxWINDOW, such as 100x32`)
    return { pairs: Number(pairs), window: Number(window) }
  })
}

/** Default: those of IDLE_SESSIONS that the limit of open files allows. @throws Error for more sessions than it allows */
function sessionsOf(asked: number | undefined): readonly number[] {
  const [, limit] = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  const files = limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
  const highest = files - OTHER_FILES
  if (asked === undefined) return IDLE_SESSIONS.filter((sessions) => sessions <= highest)
  if (asked > highest)
    throw new Error(`--sessions ${asked} needs ${asked + OTHER_FILES} open files, and ${files} are allowed (ulimit -n)`)
  return [asked]
}

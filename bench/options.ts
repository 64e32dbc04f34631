import { readFileSync } from 'node:fs'
import yargs from 'yargs'

export const WORKLOADS = ['pairs', 'group', 'logins', 'idle', 'unread', 'hostile'] as const
export type Workload = (typeof WORKLOADS)[number]

/** What is measured unless asked otherwise: attacks say nothing about speed. */
const USUAL = WORKLOADS.filter((name) => name !== 'hostile')

export interface PairShape {
  readonly pairs: number
  readonly window: number
}

/** What is measured unless told otherwise: batches that form easily, flat ones, and no load at all. */
const SHAPES: readonly PairShape[] = [
  { pairs: 100, window: 32 },
  { pairs: 1000, window: 4 },
  { pairs: 100, window: 1 },
  { pairs: 1, window: 1 },
]

const IDLE_SESSIONS = [5000, 20_000]
/** Open files of a process besides the connections of the idle workload. */
const OTHER_FILES = 500

export interface BenchOptions {
  readonly db: 'sqlite' | 'mysql'
  readonly workloads: readonly Workload[]
  readonly shapes: readonly PairShape[]
  readonly sessions: readonly number[]
  readonly members: number
  readonly messages: number
  readonly size: number
  readonly seconds: number
  readonly warmUp: number
  readonly attacks: readonly string[] | undefined
  readonly build: string | undefined
  readonly json: boolean
  readonly profile: string | undefined
}

/** Reads the command line. @throws Error for what makes no sense */
export async function readOptions(argv: readonly string[]): Promise<BenchOptions> {
  const args = await yargs(argv)
    .scriptName('npm run bench --')
    .usage('$0 [options]\n\nMeasures a server that it starts; bench/README.md says how to read the figures.')
    .locale('en')
    .options({
      db: { choices: ['sqlite', 'mysql'] as const, default: 'sqlite' as const, describe: 'database of the server' },
      workload: { type: 'string', default: USUAL.join(), describe: `which, between commas: ${WORKLOADS.join()}` },
      shapes: { type: 'string', describe: 'PAIRSxWINDOW between commas; default 100x32,1000x4,100x1,1x1' },
      pairs: { type: 'number', describe: 'one shape instead: pairs of users' },
      window: { type: 'number', describe: 'its messages under way for each sender' },
      members: { type: 'number', default: 100, describe: 'members of the group' },
      sessions: { type: 'number', describe: 'idle sessions; default 5000, and 20000 where so many files may be open' },
      messages: { type: 'number', default: 10_000, describe: 'unread messages' },
      size: { type: 'number', default: 64, describe: 'bytes of text' },
      seconds: { type: 'number', default: 5, describe: 'that are measured, for each figure' },
      'warm-up': { type: 'number', default: 2, describe: 'seconds before that' },
      attacks: { type: 'string', describe: 'of the hostile workload, between commas; all if left out' },
      build: { type: 'string', describe: 'dist folder of another version, to measure that one' },
      profile: { type: 'string', describe: 'folder for CPU profiles of the server' },
      json: { type: 'boolean', default: false, describe: 'results as JSON' },
    })
    .example('$0 --workload pairs --pairs 100 --window 32', 'one shape')
    .strict()
    .help()
    .version(false)
    .wrap(Math.min(110, process.stdout.columns || 110))
    .fail((message, error) => {
      throw error ?? new Error(message)
    })
    .parseAsync()
  for (const name of ['pairs', 'window', 'members', 'sessions', 'messages', 'size'] as const) {
    const value = args[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new Error(`--${name} takes a whole number above 0`)
  }
  if (args.members < 2) throw new Error('--members takes two or more')
  if (!(args.seconds > 0 && args.warmUp >= 0)) throw new Error('--seconds and --warm-up take a time')
  const { db, members, messages, size, seconds, warmUp, build, json, profile } = args
  return {
    db,
    workloads: workloadsOf(args.workload),
    shapes: shapesOf(args),
    sessions: sessionsOf(args.sessions),
    members,
    messages,
    size,
    seconds,
    warmUp,
    attacks: args.attacks?.split(','),
    build,
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

interface ShapeArgs {
  readonly shapes: string | undefined
  readonly pairs: number | undefined
  readonly window: number | undefined
}

function shapesOf({ shapes, pairs, window }: ShapeArgs): readonly PairShape[] {
  if (pairs !== undefined || window !== undefined) return [{ pairs: pairs ?? 100, window: window ?? 32 }]
  if (shapes === undefined) return SHAPES
  return shapes.split(',').map((shape) => {
    const [, count, under] = /^([1-9]\d{0,5})x([1-9]\d{0,4})$/.exec(shape) ?? []
    if (count === undefined) throw new Error(`"${shape}" is no shape: PAIRSxWINDOW, such as 100x32`)
    return { pairs: Number(count), window: Number(under) }
  })
}

/** @throws Error for more than both processes may open files for; without a wish, those of IDLE_SESSIONS that they may */
function sessionsOf(asked: number | undefined): readonly number[] {
  const [, limit] = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  const files = limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit)
  const highest = files - OTHER_FILES
  if (asked === undefined) return IDLE_SESSIONS.filter((sessions) => sessions <= highest)
  if (asked > highest)
    throw new Error(`--sessions ${asked} needs ${asked + OTHER_FILES} open files, and ${files} are allowed (ulimit -n)`)
  return [asked]
}

import type { Profiler, Runtime } from 'node:inspector'
import { sep } from 'node:path'

/** Functions in a summary. */
const FUNCTIONS = 25
/** Parts of less than this share are summed up. */
const MIN_SHARE = 0.005

/** What a profile is of. */
export interface Profiled {
  readonly title: string
  /** Unit of `count`, such as `messages`. */
  readonly unit: string
  readonly count: number
  /** CPU time of the server per unit, milliseconds, all threads. */
  readonly cpuMs: number
}

/** Own time of functions, microseconds. */
type Times = Map<string, number>

/** Where native functions and modules belong, by a part of their path; the first that fits. */
const PARTS: readonly (readonly [path: string, part: string])[] = [
  ['node_modules/better-sqlite3', 'SQLite'],
  ['/db/sqlite', 'SQLite: own code'],
  ['node_modules/mysql2', 'driver of MariaDB'],
  ['node_modules/sql-escaper', 'driver of MariaDB'],
  ['node_modules/sqlstring', 'driver of MariaDB'],
  ['/db/mysql', 'MariaDB: own code'],
  ['node_modules/knex', 'Knex'],
  ['node_modules/tarn', 'Knex'],
  ['node:internal/crypto', 'encryption'],
  ['/core/platform/node-crypto', 'encryption'],
  ['/core/noise/', 'records'],
  ['/core/wire/', 'encoding and decoding'],
  ['/core/session/', 'sessions'],
  ['/core/plugin/', 'dispatcher'],
  ['/core/', 'other core'],
  ['/db/', 'writer of messages and other statements'],
  ['/plugins/', 'plugins'],
  ['node:net', 'sockets'],
  ['node:internal/stream', 'sockets'],
  ['node:internal/streams', 'sockets'],
  ['node:stream', 'sockets'],
  ['node:internal/timers', 'timers'],
  ['node:internal/process/task_queues', 'ticks and microtasks'],
  ['node:', 'other parts of Node'],
  ['node_modules/', 'other packages'],
]

/** Entries of a profile that are no functions. */
const NO_FUNCTIONS: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'Node outside of JavaScript: event loop, system calls',
  '(root)': 'Node outside of JavaScript: event loop, system calls',
}
const IDLE = '(idle)'

/** A summary in Markdown: the parts of the server, and the functions that take most time. */
export function summaryOf(profile: Profiler.Profile, { title, unit, count, cpuMs }: Profiled): string {
  const { parts, functions, idle, total } = timesOf(profile)
  const busy = total - idle
  const each = (time: number) => (time / count).toFixed(2)
  const share = (time: number) => `${((100 * time) / busy).toFixed(1)} %`
  const line = ([name, time]: readonly [string, number]) => `| ${name} | ${share(time)} | ${each(time)} |`
  const head = (what: string) => `| ${what} | share | µs each |\n| --- | --- | --- |`
  const large = [...parts].filter(([, time]) => time >= busy * MIN_SHARE)
  const rest = busy - large.reduce((sum, [, time]) => sum + time, 0)
  return `# ${title}

Main thread: ${(total / 1e6).toFixed(1)} s, idle ${((100 * idle) / total).toFixed(0)} %; ${count.toLocaleString('en')} ${unit}, ${each(busy)} µs each while it was not idle: waiting
for a flush and the profiler are in it. Processor time of all threads: ${(cpuMs * 1000).toFixed(1)} µs each.

${[head('part'), ...descending(large).map(line), ...(rest > 0 ? [line(['less than half a percent each', rest])] : [])].join('\n')}

${[
  head('function, own time'),
  ...descending([...functions])
    .slice(0, FUNCTIONS)
    .map(line),
].join('\n')}
`
}

const descending = (times: readonly (readonly [string, number])[]) =>
  [...times].sort(([, one], [, other]) => other - one)

function timesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile) {
  const owners = ownersOf(nodes)
  const [parts, functions]: [Times, Times] = [new Map(), new Map()]
  let [idle, total] = [0, 0]
  for (const [index, id] of samples.entries()) {
    // A sample stands for the time until the next one.
    const time = Math.max(0, timeDeltas[index + 1] ?? 0)
    const { part, name } = owners.get(id) as Owner
    total += time
    if (part === IDLE) idle += time
    else {
      add(parts, part, time)
      if (name !== undefined) add(functions, name, time)
    }
  }
  return { parts, functions, idle, total }
}

const add = (times: Times, name: string, time: number) => times.set(name, (times.get(name) ?? 0) + time)

interface Owner {
  readonly part: string
  /** Undefined for an entry that is no function. */
  readonly name?: string
}

/** Part and name of each entry, by id. A native function has no file: it belongs to the file that calls it. */
function ownersOf(nodes: readonly Profiler.ProfileNode[]): Map<number, Owner> {
  const owners = new Map<number, Owner>()
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  for (const { id, callFrame } of nodes) {
    const { functionName, url, lineNumber } = callFrame
    const none = functionName === IDLE ? IDLE : NO_FUNCTIONS[functionName]
    if (none !== undefined) {
      owners.set(id, { part: none })
      continue
    }
    const caller = url === '' ? callerOf(id, callers, byId) : undefined
    const file = caller?.url ?? url
    const place =
      caller === undefined
        ? `${shortOf(url)}:${lineNumber + 1}`
        : `native, in \`${caller.functionName}\` ${shortOf(caller.url)}:${caller.lineNumber + 1}`
    owners.set(id, { part: partOf(file, caller !== undefined), name: `\`${functionName || '(anonymous)'}\` ${place}` })
  }
  return owners
}

/** The function of JavaScript that has called a native one, directly or not. */
function callerOf(
  id: number,
  callers: ReadonlyMap<number, number>,
  byId: ReadonlyMap<number, Profiler.ProfileNode>,
): Runtime.CallFrame | undefined {
  for (let above = callers.get(id); above !== undefined; above = callers.get(above)) {
    const frame = byId.get(above)?.callFrame
    if (frame !== undefined && frame.url !== '') return frame
  }
  return undefined
}

function partOf(file: string, isNative: boolean): string {
  // The native functions that they call are those of the driver.
  if (isNative && file.includes('/db/sqlite')) return 'SQLite'
  return PARTS.find(([path]) => file.includes(path))?.[1] ?? 'other'
}

/** A path without the folders above the server's, so that it says nothing about the machine. */
function shortOf(file: string): string {
  if (file === '') return 'Node'
  if (!file.startsWith('file:') && !file.startsWith(sep)) return file
  return file.replace(/^.*\/(?:dist|node_modules)\//, '')
}

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type KnownLimitSettings, RATES_OFF } from '../plugins/built-in-limits.ts'

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url))
const CEILING = fileURLToPath(new URL('./ceiling-server.js', import.meta.url))

/** Clock ticks in /proc, a constant of Linux. */
const TICKS_PER_SECOND = 100

/** Time limit of a graceful shutdown; then the server is killed. */
const STOP_MS = 20_000

/** Rates off, and enough connections for the idle workload. */
const LIMITS = { ...RATES_OFF, connections: 100_000 }

export interface BenchServer {
  readonly port: number
  /** URL of its HTTP listener. */
  readonly http?: string | undefined
  readonly pid: number
  /** CPU time used so far, milliseconds, all threads. */
  cpu(): Promise<number>
  /** Resident memory, bytes. */
  memory(): Promise<number>
  /** Longest turn of its event loop since the last call, milliseconds; requires LOOP_DELAY. */
  loopDelay(): Promise<number>
  /** Starts a CPU profile; only with `StartOptions.profile`. */
  startProfile?(): void
  /** Resolves when the profile is in its file. */
  endProfile?(): Promise<void>
  /** Shuts it down. @throws Error when it had to be killed, or exited with a failure */
  stop(): Promise<void>
  /** Kills it. */
  kill(): Promise<void>
}

export interface StartOptions {
  /** Its data folder. */
  readonly data: string
  /** URL of a MySQL database; default SQLite in the data folder. */
  readonly db?: string | undefined
  /** Arguments for node. */
  readonly node?: readonly string[]
  /** Limits of its configuration; default rates off, and for this build more connections. */
  readonly limits?: KnownLimitSettings | 'off'
  /** Port of its HTTP listener, 0 for a free one; default none. */
  readonly http?: number | undefined
  /** More arguments of `chatctl serve`. */
  readonly args?: readonly string[]
  /** File for a CPU profile; default none. */
  readonly profile?: string | undefined
  /** The `dist` folder of another build of chatctl; default this one. */
  readonly build?: string | undefined
}

/** Whether the server is pinned to core 0, and the load to core 1: with two cores or more, and `taskset`. */
export const PINNED = availableParallelism() >= 2 && has('taskset')

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** CPU time that a process has used, milliseconds, all threads. */
export async function cpuOf(pid: number): Promise<number> {
  const [, rest = ''] = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')
  const fields = rest.split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000
}

/** Pins a running process to one core. */
export function pin(pid: number, core: number) {
  if (PINNED)
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)], { stdio: 'ignore' })
}

/** Starts `chatctl serve` in a child process. @throws Error when it exits before it listens */
export async function startServer({
  data,
  db,
  node = [],
  http,
  build,
  // Another version has other limits; of their names only `off` is known.
  limits = build === undefined ? LIMITS : 'off',
  args: more = [],
  profile,
}: StartOptions): Promise<BenchServer> {
  const config = join(data, 'bench.json')
  await writeFile(config, JSON.stringify({ limits }))
  const args = [
    'serve',
    '--config',
    config,
    '--data',
    data,
    '--port',
    '0',
    '--log-level',
    'warn',
    '--log-format',
    'json',
    ...(http === undefined ? [] : ['--http', String(http)]),
    ...more,
  ]
  const main = build === undefined ? MAIN : join(build, 'cli/main.js')
  const env = { ...process.env, CHATCTL_DB: db ?? '', LOOP_DELAY: loopDelayFile(data), CPU_PROFILE: profile ?? '' }
  const recorder = profile === undefined ? [] : RECORDER
  const server = await start([...node, ...recorder, main, ...args], env, data)
  return profile === undefined ? server : { ...server, ...profiler(server.pid, profile) }
}

/** Node arguments that make a server write a CPU profile between two signals. */
const RECORDER = ['--import', new URL('./profile/record.js', import.meta.url).href]

const profiler = (pid: number, file: string) => ({
  startProfile: () => void process.kill(pid, 'SIGUSR2'),
  async endProfile() {
    process.kill(pid, 'SIGUSR2')
    while (!existsSync(file)) await sleep(10)
  },
})

/** Starts the ceiling's server (ceiling-server.ts). @param size bytes of text in a message */
export const startCeiling = ({ data, db, size }: Pick<StartOptions, 'data' | 'db'> & { size: number }) =>
  start([CEILING, db ?? join(data, 'ceiling.db'), String(size)], process.env, data)

/** Node arguments that make a server measure its event-loop delay. */
export const LOOP_DELAY = ['--import', new URL('../test/support/endurance/loop-delay.js', import.meta.url).href]
const loopDelayFile = (data: string) => join(data, 'loop-delay.json')

async function start(script: readonly string[], env: NodeJS.ProcessEnv, data: string): Promise<BenchServer> {
  const command = [process.execPath, ...script]
  const [program = '', ...args] = PINNED ? ['taskset', '-c', '0', ...command] : command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  // The child must not outlive this process.
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  const { port, http, pid } = await listening(child)
  return {
    port,
    http,
    pid,
    cpu: () => cpuOf(pid),
    memory: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
    },
    async loopDelay() {
      const file = loopDelayFile(data)
      await rm(file, { force: true })
      process.kill(pid, 'SIGUSR2')
      for (;;) {
        // Written in the next turn of its event loop, which may be late.
        const text = await readFile(file, 'utf8').catch(() => '')
        if (text.endsWith('}')) return JSON.parse(text).max
        await sleep(10)
      }
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      kill()
      await once(child, 'exit')
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const late = setTimeout(kill, STOP_MS)
        child.kill('SIGTERM')
        await once(child, 'exit')
        clearTimeout(late)
      }
      if (child.exitCode !== 0 && child.signalCode !== 'SIGTERM')
        throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}`)
    },
  }
}

function listening(child: ChildProcess): Promise<Pick<BenchServer, 'port' | 'http' | 'pid'>> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code} before it listened`)))
    lines.on('line', (line) => {
      if (line.includes('"listening"')) resolve(JSON.parse(line))
      else process.stderr.write(`server: ${line}\n`)
    })
  })
}

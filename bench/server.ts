import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Limits, RATES_OFF } from '../core/limits.ts'

const MAIN = fileURLToPath(new URL('../cli/main.js', import.meta.url))
const CEILING = fileURLToPath(new URL('./ceiling-server.js', import.meta.url))

/** Clock ticks a second in /proc, which Linux has fixed for programs. */
const TICKS = 100

/** A server that takes longer to end is killed. */
const STOP_MS = 20_000

/** Rates off, and room for the sessions of the idle workload. */
const LIMITS = { ...RATES_OFF, connections: 100_000 }

export interface BenchServer {
  readonly port: number
  readonly pid: number
  /** CPU time used so far, milliseconds, all threads. */
  cpu(): Promise<number>
  /** Resident memory, bytes. */
  memory(): Promise<number>
  /** The longest turn of its event loop since the last call, milliseconds; only of a server with LOOP_DELAY. */
  loopDelay(): Promise<number>
  /** Ends it. @throws Error when it had to be killed, or ended badly */
  stop(): Promise<void>
  /** Ends it at once, whatever it does. */
  kill(): Promise<void>
}

export interface StartOptions {
  /** Its data folder. */
  readonly data: string
  /** URL of a MySQL database; SQLite in the data folder if left out. */
  readonly db?: string | undefined
  /** Arguments for node, such as `--cpu-prof`. */
  readonly node?: readonly string[]
  /** Limits of its configuration; rates off if left out. */
  readonly limits?: Partial<Limits>
  /** Folder of another build of chatctl; this one if left out. */
  readonly build?: string | undefined
}

/** With two cores or more the server has the first one to itself, and the load the second. */
export const PINNED = availableParallelism() >= 2 && has('taskset')

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Puts a process that runs on one core. */
export function pin(pid: number, core: number) {
  if (PINNED)
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)], { stdio: 'ignore' })
}

/** Starts `chatctl serve` as a process of its own. @throws Error when it does not come up */
export async function startServer({ data, db, node = [], limits = LIMITS, build }: StartOptions): Promise<BenchServer> {
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
  ]
  const main = build === undefined ? MAIN : join(build, 'cli/main.js')
  const env = { ...process.env, CHATCTL_DB: db ?? '', LOOP_DELAY: loopDelayFile(data) }
  return start([...node, main, ...args], env, data)
}

/** Starts the ceiling's server, see there, for texts of that many bytes. */
export const startCeiling = ({ data, size }: { data: string; size: number }): Promise<BenchServer> =>
  start([CEILING, join(data, 'ceiling.db'), String(size)], process.env, data)

/** Makes a server measure how late its event loop is. */
export const LOOP_DELAY = ['--import', new URL('../test/support/loop-delay.js', import.meta.url).href]
const loopDelayFile = (data: string) => join(data, 'loop-delay.json')

async function start(script: readonly string[], env: NodeJS.ProcessEnv, data: string): Promise<BenchServer> {
  const command = [process.execPath, ...script]
  const [program = '', ...args] = PINNED ? ['taskset', '-c', '0', ...command] : command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
  // Whatever becomes of this process, the other one must not stay.
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  const { port, pid } = await listening(child)
  return {
    port,
    pid,
    cpu: async () => {
      const [, rest = ''] = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')
      const fields = rest.split(' ')
      return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1000
    },
    memory: async () => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
    },
    async loopDelay() {
      const file = loopDelayFile(data)
      await rm(file, { force: true })
      process.kill(pid, 'SIGUSR2')
      for (;;) {
        // Written when the loop comes to it, which is what is measured.
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

function listening(child: ChildProcess): Promise<{ port: number; pid: number }> {
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

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { testWhere } from '../endurance/rounds.ts'

const isInstalled = ['prometheus', 'promtool'].every((program) => spawnSync(program, ['--version']).status === 0)

/** `test` for tests with Prometheus. Without it they are skipped with a notice, and fail if `CI` is set. */
export const testWithPrometheus = testWhere(
  isInstalled,
  'Prometheus is not installed (Debian: apt-get install prometheus)',
)

/** Path of a file in `examples/`. */
export const examplePath = (file: string) => fileURLToPath(new URL(`../../../../examples/${file}`, import.meta.url))

/** Runs promtool. @throws Error with its output */
export function promtool(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`promtool ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

export interface Prometheus {
  /** The data of an answer of its HTTP API. @throws Error for a failure */
  get<T>(path: string): Promise<T>
}

/** Starts Prometheus on a free port. It is killed when the test ends. */
export async function startPrometheus(t: ExecutionContext, config: string, data: string): Promise<Prometheus> {
  const args = [`--config.file=${config}`, `--storage.tsdb.path=${data}`, '--web.listen-address=127.0.0.1:0']
  const child = spawn('prometheus', args)
  t.teardown(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  const address = await addressOf(child)
  return {
    async get<T>(path: string): Promise<T> {
      const response = await fetch(`http://${address}/api/v1/${path}`)
      const answer = (await response.json()) as { status: string; error?: string; data: T }
      if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
      return answer.data
    },
  }
}

/** Reads from its log where it listens, once it is ready. */
function addressOf(child: ChildProcess): Promise<string> {
  let log = ''
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (chunk) => {
      log += chunk
      const [, address] = /msg="Listening on" address=(\S+)/.exec(log) ?? []
      if (address !== undefined && log.includes('Server is ready to receive web requests')) resolve(address)
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`Prometheus ended: ${log}`)))
  })
}

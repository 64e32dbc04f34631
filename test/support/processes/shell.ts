import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { tempFolder } from '../temp-folder.ts'

const MAIN = fileURLToPath(new URL('../../../cli/main.js', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** How a process that had been left running ended. */
export interface Ended extends Ran {
  readonly signal: NodeJS.Signals | null
}

export interface RunOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** For tests that run as root and want another user of the machine. */
  readonly uid?: number
  /** A program and its arguments, in front of the command: `strace …`. */
  readonly under?: readonly string[]
}

/** A shell of its own: an own home, own settings, a working folder that goes when the test ends. */
export async function openShell(t: ExecutionContext) {
  const folder = await tempFolder(t)
  const home = join(folder, 'home')
  await mkdir(home)
  const environment = (extra: Readonly<Record<string, string>> = {}) => ({
    PATH: process.env.PATH ?? '',
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    // Anyone may write to anyone: most plays are not about friendship. Fewer PBKDF2 iterations than a real server: these plays register and log in often.
    CHATCTL_OPTIONS: '{"registration":{"iterations":4096,"minPassword":1},"friends":{"messagesFrom":"anyone"}}',
    CHATCTL_LEAST_ITERATIONS: '4096',
    ...extra,
  })

  const start = (args: readonly string[], { env, uid, under = [] }: RunOptions = {}) => {
    const [program = '', ...rest] = [...under, process.execPath, MAIN, ...args]
    const child = spawn(program, rest, {
      cwd: folder,
      env: environment(env),
      ...(uid !== undefined && { uid, gid: uid }),
    })
    t.teardown(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    const output = collect(child)
    /** All that it said, when it has ended. */
    const done: Promise<Ended> = once(child, 'close').then(() => ({
      code: child.exitCode,
      signal: child.signalCode,
      ...output.all(),
    }))
    return { child, output, done }
  }

  return {
    folder,
    home,
    /** Runs a script in bash, which finds `chatctl`; what it printed. */
    async shell(script: string): Promise<string> {
      const chatctl = `chatctl() { ${JSON.stringify(process.execPath)} ${JSON.stringify(MAIN)} "$@"; }\n`
      const child = spawn('bash', ['-c', chatctl + script], { cwd: folder, env: environment() })
      const output = collect(child)
      await once(child, 'close')
      return output.all().stdout
    },
    /** Starts a command and leaves it running; it is killed when the test ends. */
    start,
    async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
      const { child, done } = start(args, options)
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input ?? '')
      return done
    },
    /** Starts a server on a free port; `listening` is its first line of output. */
    async serve(args: readonly string[] = [], options: RunOptions = {}) {
      const standard = Object.entries({ '--data': './room', '--port': '0' }).filter(([name]) => !args.includes(name))
      const { child, output, done } = start(['serve', ...standard.flat(), ...args], options)
      const line = await output.line()
      const listening = JSON.parse(line)
      const server: string = listening.address
      return {
        child,
        server,
        listening,
        output,
        done,
        stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
          child.kill(signal)
          return done
        },
      }
    },
  }
}

export type Shell = Awaited<ReturnType<typeof openShell>>

function collect(child: ChildProcess) {
  let stdout = ''
  let stderr = ''
  let wake = () => {}
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
    wake()
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
    wake()
  })
  child.once('exit', () => wake())
  const until = async (isThere: () => boolean) => {
    while (!isThere()) {
      if (child.exitCode !== null) throw new Error(`exited with ${child.exitCode}: ${stderr}${stdout}`)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    all: () => ({ stdout, stderr }),
    /** The first whole line of stdout, when there is one; fails if the process ends before. */
    async line(): Promise<string> {
      await until(() => stdout.includes('\n'))
      return stdout.slice(0, stdout.indexOf('\n'))
    },
    /** When it has said that on stderr, perhaps in more than one line; fails if the process ends before. */
    says: (what: RegExp) => until(() => what.test(stderr)),
    /** When that is in what it has printed on stdout; fails if the process ends before. */
    prints: (text: string) => until(() => stdout.includes(text)),
  }
}

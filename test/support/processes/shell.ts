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

/** How a background process ended. */
export interface Ended extends Ran {
  readonly signal: NodeJS.Signals | null
}

export interface RunOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** User of the machine to run as; needs root. */
  readonly uid?: number
  /** A program and its arguments to run the command under: `strace …`. */
  readonly under?: readonly string[]
}

/**
 * A shell with its own home, settings and working folder, which is removed when the test ends.
 * @param main script of the command, if it is not that of this checkout
 */
export async function openShell(t: ExecutionContext, main = MAIN) {
  const folder = await tempFolder(t)
  const home = join(folder, 'home')
  await mkdir(home)
  const environment = (extra: Readonly<Record<string, string>> = {}) => ({
    PATH: process.env.PATH ?? '',
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    // Anyone may write to anyone, and few PBKDF2 iterations: these tests register and log in often.
    CHATCTL_OPTIONS: '{"registration":{"iterations":4096,"minPassword":1},"friends":{"messagesFrom":"anyone"}}',
    CHATCTL_LEAST_ITERATIONS: '4096',
    ...extra,
  })

  const start = (args: readonly string[], { env, uid, under = [] }: RunOptions = {}) => {
    const [program = '', ...rest] = [...under, process.execPath, main, ...args]
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
    /** Its whole output, once it has ended. */
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
    /** A command as another program starts it. */
    commandLine: (args: readonly string[]) => ({
      command: process.execPath,
      args: [MAIN, ...args],
      env: environment() as Record<string, string>,
    }),
    /** Runs a bash script in which `chatctl` is defined; returns its stdout. */
    async shell(script: string): Promise<string> {
      const chatctl = `chatctl() { ${JSON.stringify(process.execPath)} ${JSON.stringify(main)} "$@"; }\n`
      const child = spawn('bash', ['-c', chatctl + script], { cwd: folder, env: environment() })
      const output = collect(child)
      await once(child, 'close')
      return output.all().stdout
    },
    /** Starts a command in the background; it is killed when the test ends. */
    start,
    async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
      const { child, done } = start(args, options)
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input ?? '')
      return done
    },
    /** Starts a server on a port chosen by the kernel; `listening` is its first line of output. */
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
    /** Waits for the first line of stdout; fails if the process exits before. */
    async line(): Promise<string> {
      await until(() => stdout.includes('\n'))
      return stdout.slice(0, stdout.indexOf('\n'))
    },
    /** Waits until stderr matches, also over several lines; fails if the process exits before. */
    says: (what: RegExp) => until(() => what.test(stderr)),
    /** Waits until stdout contains a text; fails if the process exits before. */
    prints: (text: string) => until(() => stdout.includes(text)),
  }
}

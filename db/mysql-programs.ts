import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { ConnectionSettings } from './database-url.ts'
import { DatabaseError } from './errors.ts'

/** Characters of a program's stderr that an error quotes. */
const MAX_STDERR_CHARS = 4000

export interface Program {
  /** Names of the program in order of preference, each with its arguments that require TLS. */
  readonly names: readonly (readonly [name: string, ...tls: string[]])[]
  /** Subject of error messages: `the backup`. */
  readonly task: string
  readonly args: readonly string[]
  /** File for its standard input. */
  readonly input?: string
}

/**
 * Runs a command-line client of MySQL or MariaDB on a database.
 * @throws DatabaseError when none of the names is installed, or the program fails, with its stderr
 */
export async function runProgram(server: ConnectionSettings, { names, task, args, input }: Program): Promise<void> {
  const { host, port, socketPath, user, password, database, ssl } = server
  const place = socketPath === undefined ? [`--host=${host}`, `--port=${port}`] : [`--socket=${socketPath}`]
  // Passed in the environment: arguments are visible to every user of the machine.
  const env = { ...process.env, MYSQL_PWD: password }
  for (const [name, ...tls] of names) {
    // --no-defaults must come first.
    const allArgs = ['--no-defaults', ...(ssl ? tls : []), ...place, `--user=${user}`, ...args, database]
    const child = spawn(name, allArgs, { env, stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'] })
    const failure = await failureOf(child, input)
    if (failure === 'missing') continue
    if (failure !== undefined) throw new DatabaseError(`${task} failed: ${failure}`)
    return
  }
  const wanted = names.map(([name]) => name).join(' or ')
  throw new DatabaseError(`${task} of MySQL needs the program ${wanted}: install the client package`)
}

/** Waits for the end of a program: undefined on success, `missing` if it is not installed, otherwise the reason. */
async function failureOf(child: ChildProcess, input: string | undefined): Promise<string | undefined> {
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, MAX_STDERR_CHARS)
  })
  const closed = once(child, 'close')
  try {
    await once(child, 'spawn')
  } catch (error) {
    closed.catch(() => {})
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
  // A program that fails early also breaks the pipe to its stdin; its stderr names the cause, so it takes precedence.
  const piped =
    input === undefined ? undefined : pipeline(createReadStream(input), child.stdin as NodeJS.WritableStream)
  const [piping] = await Promise.allSettled([piped, closed])
  if (child.exitCode !== 0) return stderr.trim() || `it ended with ${child.exitCode ?? child.signalCode}`
  return piping.status === 'rejected' ? String((piping.reason as Error).message) : undefined
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { DatabaseError } from './errors.ts'
import { connectionOf } from './mysql.ts'

/** How much of what a program says on stderr is kept for the error. */
const STDERR_CHARS = 4000

export interface Program {
  /** Names of the program, in the order of preference, each with what asks it for TLS. */
  readonly names: readonly (readonly [name: string, ...tls: string[]])[]
  /** What it is needed for: `a backup`. */
  readonly task: string
  readonly args: readonly string[]
  /** File to feed it with. */
  readonly input?: string
}

/**
 * Runs a program of the database's client package on a database.
 * @throws DatabaseError when none is installed, or with what it said on stderr
 */
export async function runProgram(url: string, { names, task, args, input }: Program): Promise<void> {
  const { host, port, socketPath, user, password, database, ssl } = connectionOf(url)
  const place = socketPath === undefined ? [`--host=${host}`, `--port=${port}`] : [`--socket=${socketPath}`]
  // Not an argument: those are for everyone on this machine to see.
  const env = { ...process.env, MYSQL_PWD: password }
  for (const [name, ...tls] of names) {
    // --no-defaults has to be the first.
    const all = ['--no-defaults', ...(ssl ? tls : []), ...place, `--user=${user}`, ...args, database]
    const child = spawn(name, all, { env, stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'] })
    const outcome = await endOf(child, input)
    if (outcome === 'missing') continue
    if (outcome !== undefined) throw new DatabaseError(`${task} failed: ${outcome}`)
    return
  }
  const wanted = names.map(([name]) => name).join(' or ')
  throw new DatabaseError(`${task} of MySQL needs the program ${wanted}: install the client package`)
}

/** What went wrong, undefined if nothing did; `missing` when there is no such program. */
async function endOf(child: ChildProcess, input: string | undefined): Promise<string | undefined> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, STDERR_CHARS)
  })
  const closed = once(child, 'close')
  try {
    await once(child, 'spawn')
  } catch (error) {
    closed.catch(() => {})
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
  // A program that ends early closes its input: what it says about it on stderr is the better error.
  const fed = input === undefined ? undefined : pipeline(createReadStream(input), child.stdin as NodeJS.WritableStream)
  const [feeding] = await Promise.allSettled([fed, closed])
  if (child.exitCode !== 0) return said.trim() || `it ended with ${child.exitCode ?? child.signalCode}`
  return feeding.status === 'rejected' ? String((feeding.reason as Error).message) : undefined
}

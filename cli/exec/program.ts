import { isUtf8 } from 'node:buffer'
import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import { delimiter, resolve } from 'node:path'
import { CliError } from '../errors/exit.ts'
import type { SavedMessage } from '../files/arrivals.ts'
import { printableJson } from '../output/printable.ts'

/** Longest answer of a handler, in bytes: the default of the server's own limit. */
const MAX_REPLY = 16 * 1024
/** Milliseconds between SIGTERM and SIGKILL. */
const KILL_MS = 2000

/** A failed run of a handler. */
export class HandlerError extends Error {
  override readonly name = 'HandlerError'
}

/** A program that gets a message on its stdin and answers on its stdout. No shell is involved. */
export class HandlerProgram {
  readonly #program: string
  readonly #args: readonly string[]
  readonly #timeout: number
  readonly #running = new Set<ChildProcess>()
  readonly #exit = () => this.kill()

  private constructor(program: string, args: readonly string[], timeout: number) {
    this.#program = program
    this.#args = args
    this.#timeout = timeout
    process.on('exit', this.#exit)
  }

  /**
   * @param program a path, or a name to look for in PATH
   * @param timeout milliseconds for one run
   * @throws CliError when there is no such program, or it cannot be run
   */
  static async find(program: string, args: readonly string[], timeout: number): Promise<HandlerProgram> {
    return new HandlerProgram(await findProgram(program), args, timeout)
  }

  /** Runs it for one message; resolves with its answer, empty for none. @throws HandlerError */
  async run(message: SavedMessage): Promise<string> {
    const child = spawn(this.#program, this.#args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        CHATCTL_ID: String(message.id),
        CHATCTL_FROM: message.from,
        CHATCTL_GROUP: message.group ?? '',
        ...fileVariables(message),
      },
      // In a process group of its own: Ctrl-C leaves it to finish, and what it has started is killed with it.
      detached: true,
    })
    this.#running.add(child)
    let why: string | undefined
    const end = (reason: string) => {
      why ??= reason
      killAfterAsking(child)
    }
    const timer = setTimeout(() => end(`it took longer than ${this.#timeout / 1000} s`), this.#timeout)
    // A handler need not read the message.
    child.stdin.on('error', () => {})
    child.stdin.end(`${printableJson(message)}\n`)
    const chunks: Buffer[] = []
    let size = 0
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      // The trailing line break is removed.
      if (size > MAX_REPLY + 2) end(TOO_LONG)
      else chunks.push(chunk)
    })
    try {
      const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done, failed) => {
        child.once('error', failed)
        child.once('close', (...how: [number | null, NodeJS.Signals | null]) => done(how))
      })
      if (why !== undefined) throw new HandlerError(why)
      if (code !== 0) throw new HandlerError(signal === null ? `it exited with ${code}` : `it was ended by ${signal}`)
    } catch (error) {
      if (error instanceof HandlerError) throw error
      throw new HandlerError(`it cannot be run: ${(error as Error).message}`)
    } finally {
      clearTimeout(timer)
      this.#running.delete(child)
    }
    return toReply(Buffer.concat(chunks))
  }

  /** Kills all runs in flight. */
  kill() {
    for (const child of this.#running) signalGroup(child, 'SIGKILL')
  }

  /** Kills all runs in flight, and lets the process exit without doing so. */
  close() {
    this.kill()
    process.off('exit', this.#exit)
  }
}

/** Facts of the message's file, and its path if it was saved; empty without a file. */
const fileVariables = ({ file }: SavedMessage) => ({
  CHATCTL_FILE_ID: String(file?.id ?? ''),
  CHATCTL_FILE_NAME: file?.name ?? '',
  CHATCTL_FILE_SIZE: String(file?.size ?? ''),
  CHATCTL_FILE_TYPE: file?.type ?? '',
  CHATCTL_FILE: file?.saved ?? '',
})

const TOO_LONG = `it answered more than ${MAX_REPLY} bytes`

function toReply(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new HandlerError('its answer is not UTF-8 text')
  const text = bytes.toString('utf8').replace(/\r?\n$/, '')
  if (Buffer.byteLength(text) > MAX_REPLY) throw new HandlerError(TOO_LONG)
  return text
}

function killAfterAsking(child: ChildProcess) {
  signalGroup(child, 'SIGTERM')
  const timer = setTimeout(() => {
    signalGroup(child, 'SIGKILL')
    // A process outside the group may hold it open.
    child.stdout?.destroy()
  }, KILL_MS)
  child.once('close', () => clearTimeout(timer))
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals) {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // It has ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function findProgram(name: string): Promise<string> {
  const paths = name.includes('/')
    ? [resolve(name)]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => resolve(folder, name))
  let found = false
  for (const path of paths) {
    if (
      !(await stat(path).then(
        (entry) => entry.isFile(),
        () => false,
      ))
    )
      continue
    found = true
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  if (found) throw new CliError('usage', `--exec: ${name} is not executable`, `chmod +x ${name}`)
  const hint = name.includes(' ') ? 'arguments go after --: `listen --exec ./handler -- an-argument`' : undefined
  throw new CliError('usage', `--exec: there is no program ${name}`, hint)
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Clock, Timer } from '../../../core/index.ts'
import { MAX_PIXELS } from './kind.ts'
import type { Preview, PreviewJob, PreviewResult } from './preview-process.ts'

export interface PreviewBounds {
  /** Milliseconds for one picture. */
  readonly timeoutMs: number
  /** Bytes of memory of the child process. */
  readonly maxMemory: number
  /** Pictures that wait for their preview; further ones get none. */
  readonly maxWaiting: number
  /** Milliseconds without a picture after which the child process ends. */
  readonly idleMs: number
}

const BOUNDS: PreviewBounds = { timeoutMs: 10_000, maxMemory: 512 * 1024 * 1024, maxWaiting: 20, idleMs: 60_000 }
const SIDE = 320
const SCRIPT = new URL('./preview-process.js', import.meta.url)

export interface PreviewParts {
  readonly clock: Clock
  readonly log: { debug(facts: object, text: string): void; info(facts: object, text: string): void }
  readonly bounds?: Partial<PreviewBounds>
  readonly script?: URL
}

/** Makes previews in a child process, one at a time. */
export class Previews {
  readonly #clock: Clock
  readonly #log: PreviewParts['log']
  readonly #bounds: PreviewBounds
  readonly #script: URL
  #child: ChildProcess | undefined
  #idle: Timer | undefined
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  /** False once it is known that sharp is not installed, and after `close`. */
  #isPossible = true

  constructor({ clock, log, bounds, script = SCRIPT }: PreviewParts) {
    this.#clock = clock
    this.#log = log
    this.#bounds = { ...BOUNDS, ...bounds }
    this.#script = script
  }

  /** Process id of the child, undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** The preview of a picture; undefined without sharp, for a picture that sharp cannot read within the bounds, and when busy. */
  async make(path: string): Promise<Preview | undefined> {
    if (!this.#isPossible || this.#waiting >= this.#bounds.maxWaiting) return undefined
    this.#waiting++
    const result = this.#last.then(() => this.#makeNext(path))
    this.#last = result
    try {
      return await result
    } finally {
      this.#waiting--
    }
  }

  /** Ends the child process. A preview in the making is undefined. */
  async close() {
    this.#isPossible = false
    this.#end()
    await this.#last
  }

  async #makeNext(path: string): Promise<Preview | undefined> {
    if (!this.#isPossible) return undefined
    this.#idle?.cancel()
    const result = await this.#ask({ path, side: SIDE, maxPixels: MAX_PIXELS, maxMemory: this.#bounds.maxMemory })
    if (this.#isPossible) this.#idle = this.#clock.after(this.#bounds.idleMs, () => this.#end()).unref()
    if ('preview' in result) return result
    if ('missing' in result) {
      this.#isPossible = false
      this.#end()
      this.#log.info({ reason: result.missing }, 'pictures get no previews: install the package sharp for them')
    } else {
      this.#log.debug({ reason: result.failed }, 'a picture got no preview')
    }
    return undefined
  }

  async #ask(job: PreviewJob): Promise<PreviewResult> {
    const child = this.#child?.connected ? this.#child : this.#start()
    const timer = this.#clock.after(this.#bounds.timeoutMs, () => child.kill('SIGKILL'))
    const listening = new AbortController()
    try {
      const answered = once(child, 'message', listening)
      const ended = once(child, 'exit', listening).then(([code, by]) => {
        throw new Error(`the child process ended (${by ?? code})`)
      })
      child.send(job)
      const [result] = await Promise.race([answered, ended])
      return result
    } catch (error) {
      this.#end()
      return { failed: error instanceof Error ? error.message : String(error) }
    } finally {
      timer.cancel()
      listening.abort()
    }
  }

  #start(): ChildProcess {
    const child = fork(this.#script, {
      env: {},
      execArgv: ['--max-old-space-size=64'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    // Also without a job: a process that could not be started, or a message that it did not get.
    child.on('error', (error) => this.#log.debug({ err: error }, 'the process of previews failed'))
    this.#child = child
    return child
  }

  #end() {
    this.#idle?.cancel()
    this.#child?.kill('SIGKILL')
    this.#child = undefined
  }
}

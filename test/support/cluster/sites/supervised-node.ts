import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FAKETIME, removeLeftovers } from './faketime.ts'

const MAIN = fileURLToPath(new URL('../../../../cli/main.js', import.meta.url))
/** Pause of the supervisor between two attempts to start a node. */
const PAUSE_MS = 200

export interface NodeSettings {
  readonly name: string
  /** Where its data, its log and its clock are. */
  readonly folder: string
  readonly port: number
  readonly under: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** A `chatctl serve` that is started again whenever it ends, as a supervisor does, unless it was taken down. */
export class SupervisedNode {
  readonly #settings: NodeSettings
  readonly #clock: string
  readonly #log: WriteStream
  #child: ChildProcess | undefined
  #options = ''
  #isListening = false
  #isWanted = false
  #supervising: Promise<void> = Promise.resolve()
  #waiting: (() => void)[] = []
  /** How often it ended by itself, or could not start. */
  ends = 0

  constructor(settings: NodeSettings) {
    this.#settings = settings
    this.#clock = join(settings.folder, `${settings.name}.clock`)
    this.#log = createWriteStream(join(settings.folder, `${settings.name}.log`))
  }

  /** Resolves when it listens. */
  async start() {
    if (!this.#isWanted) {
      this.#isWanted = true
      await this.skew(0)
      this.#supervising = this.#supervise()
    }
    await this.listening()
  }

  /** Starts it again with a module that is loaded before all others. */
  async restartWith(module: URL) {
    await this.stop('SIGTERM')
    this.#options = `--import ${module.href}`
    await this.start()
  }

  /** Takes it down. */
  async stop(signal: NodeJS.Signals) {
    this.#isWanted = false
    this.signal(signal)
    // A suspended one ends only when it goes on.
    this.signal('SIGCONT')
    await this.#supervising
  }

  signal(signal: NodeJS.Signals) {
    this.#child?.kill(signal)
  }

  async listening() {
    while (!this.#isListening) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Sets its clock wrong by so many seconds, while it runs. */
  skew(seconds: number) {
    return writeFile(this.#clock, `${seconds < 0 ? '' : '+'}${seconds}`)
  }

  async #supervise() {
    while (this.#isWanted) {
      this.#child = this.#spawn()
      const exit = once(this.#child, 'exit')
      this.#child.stdout?.once('data', () => this.#nowListens())
      this.#child.stdout?.pipe(this.#log, { end: false })
      this.#child.stderr?.pipe(this.#log, { end: false })
      await exit
      removeLeftovers(this.#child.pid as number)
      this.#isListening = false
      this.#child = undefined
      if (!this.#isWanted) return
      this.ends++
      await sleep(PAUSE_MS)
    }
  }

  /** The address, its first output, is printed. */
  #nowListens() {
    this.#isListening = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #spawn(): ChildProcess {
    const { name, folder, port, under, env } = this.#settings
    const data = ['--data', join(folder, name), '--node-name', name, '--port', String(port), '--limits', 'off']
    const [program = '', ...args] = [...under, process.execPath, MAIN, 'serve', ...data]
    return spawn(program, args, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        ...env,
        NODE_OPTIONS: this.#options,
        LD_PRELOAD: FAKETIME,
        FAKETIME_TIMESTAMP_FILE: this.#clock,
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        FAKETIME_CACHE_DURATION: '1',
      },
    })
  }
}

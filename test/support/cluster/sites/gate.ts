import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Disturbance, GateLine, LineKind } from './gate-settings.ts'

const MAIN = fileURLToPath(new URL('gate-process.js', import.meta.url))

/** A TCP proxy in a namespace, which delays and breaks connections, and lets clients in by a Unix socket. */
export class Gate {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** @param under program and arguments that run a command in the namespace */
  static async open(under: readonly string[], lines: readonly GateLine[]): Promise<Gate> {
    const [program, ...args]: readonly string[] = [...under, process.execPath, MAIN, JSON.stringify({ lines })]
    const child = spawn(program as string, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`a gate ended with ${code}`))),
    ])
    return new Gate(child)
  }

  disturb(kind: LineKind, disturbance: Disturbance) {
    this.#child.send({ kind, disturbance })
  }

  async close() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }
}

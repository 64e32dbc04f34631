import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const NATS = { clients: 4222, routes: 6222 }
export const NATS_PORT = NATS.clients

/** A server of NATS in a namespace. */
export class SiteNats {
  readonly #command: readonly string[]
  #child: ChildProcess | undefined

  /** @param under program and arguments that run a command in the namespace */
  constructor(under: readonly string[], address: string, others: readonly string[]) {
    const routes = others.map((other) => `nats://${other}:${NATS.routes}`).join(',')
    const own = ['-a', address, '-p', String(NATS.clients), '--cluster', `nats://${address}:${NATS.routes}`]
    this.#command = [...under, 'nats-server', ...own, '--cluster_name', 'sites', '--routes', routes]
  }

  /** Resolves when it takes clients. */
  async start() {
    const [program = '', ...args] = this.#command
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
    })
    this.#child = child
    const output: string[] = []
    for await (const text of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
      output.push(text)
      if (!text.includes('Server is ready')) continue
      child.stderr?.resume()
      return
    }
    throw new Error(`nats-server does not start: ${output.join('\n')}`)
  }

  signal(signal: NodeJS.Signals) {
    this.#child?.kill(signal)
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL') {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
}

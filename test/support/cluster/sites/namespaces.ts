import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const REAPER = fileURLToPath(new URL('reaper-process.js', import.meta.url))

const run = promisify(execFile)
/** Where only root's PATH has programs. */
const ENV = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` }

export const ip = (...args: string[]) => run('ip', args, { env: ENV })

/** Whether network namespaces and packet filters work here: that needs root. */
export function canMakeNamespaces(): boolean {
  if (process.getuid?.() !== 0) return false
  const name = `chatctl-${randomBytes(4).toString('hex')}`
  const works = (...args: string[]) => spawnSync('ip', args, { env: ENV, stdio: 'ignore' }).status === 0
  if (!works('netns', 'add', name)) return false
  try {
    return (
      works('-n', name, 'link', 'add', 'probe', 'type', 'bridge') &&
      works('netns', 'exec', name, 'nft', 'add', 'table', 'ip', 'probe')
    )
  } finally {
    works('netns', 'del', name)
  }
}

/**
 * Network namespaces of sites, numbered from 1, that a bridge in one more namespace joins. Their names are those of this
 * run; their addresses are seen by nobody else.
 */
export class Namespaces {
  readonly #run = `chatctl-${randomBytes(4).toString('hex')}`
  readonly #sites: readonly number[]
  readonly #hub = `${this.#run}-hub`
  #reaper: ChildProcess | undefined

  constructor(count: number) {
    this.#sites = Array.from({ length: count }, (_, at) => at + 1)
  }

  async open() {
    const all = [this.#hub, ...this.#sites.map((site) => this.name(site))]
    // In a session of its own: it survives what interrupts the test.
    this.#reaper = spawn(process.execPath, [REAPER, ...all], {
      env: ENV,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    await ip('netns', 'add', this.#hub)
    await ip('-n', this.#hub, 'link', 'add', 'bridge', 'type', 'bridge')
    await ip('-n', this.#hub, 'link', 'set', 'bridge', 'up')
    for (const site of this.#sites) {
      const name = this.name(site)
      await ip('netns', 'add', name)
      const [port, ...pair] = [portOf(site), 'type', 'veth', 'peer', 'name', 'net', 'netns', name]
      await ip('-n', this.#hub, 'link', 'add', port, ...pair)
      await ip('-n', this.#hub, 'link', 'set', port, 'master', 'bridge', 'up')
      await ip('-n', name, 'addr', 'add', `${this.address(site)}/24`, 'dev', 'net')
      for (const link of ['net', 'lo']) await ip('-n', name, 'link', 'set', link, 'up')
      await this.#nft(site, 'add table ip faults')
      await this.#nft(site, 'add chain ip faults lost { type filter hook input priority 0; }')
    }
  }

  /** Ends the processes in the namespaces, and removes them. */
  async close() {
    if (this.#reaper === undefined) return
    const exit = once(this.#reaper, 'exit')
    this.#reaper.stdin?.end()
    await exit
  }

  name(site: number): string {
    return `${this.#run}-${site}`
  }

  address(site: number): string {
    return `10.77.0.${site}`
  }

  /** The program that runs a command in the namespace of a site, and its arguments. */
  under(site: number): string[] {
    return ['ip', 'netns', 'exec', this.name(site)]
  }

  /** Pulls out the cable of a site, or puts it in. */
  async plug(site: number, isIn: boolean) {
    await ip('-n', this.#hub, 'link', 'set', portOf(site), isIn ? 'up' : 'down')
  }

  /** Drops what one site sends to another. */
  drop(from: number, to: number) {
    return this.#nft(to, `add rule ip faults lost ip saddr ${this.address(from)} drop`)
  }

  /** Nothing is dropped any more, and all cables are in. */
  async heal() {
    for (const site of this.#sites) {
      await this.#nft(site, 'flush chain ip faults lost')
      await this.plug(site, true)
    }
  }

  async #nft(site: number, rule: string) {
    await ip('netns', 'exec', this.name(site), 'nft', rule)
  }
}

const portOf = (site: number) => `site${site}`

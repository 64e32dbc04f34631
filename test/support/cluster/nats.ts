import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'
import pino, { type Logger } from 'pino'
import { NatsLink } from '../../../cli/server/cluster/nats-link.ts'
import { natsServers } from '../../../cli/server/cluster/nats-settings.ts'
import { type Clock, SYSTEM_CLOCK } from '../../../core/index.ts'
import { findProgram } from '../databases/mariadb.ts'

const CLIENTS = /Listening for client connections on 127\.0\.0\.1:(\d+)/
const ROUTES = /Listening for route connections on 127\.0\.0\.1:(\d+)/

/** A server of NATS on loopback, on ports chosen by the kernel. */
export interface NatsServer {
  readonly pid: number
  readonly url: string
  /** `HOST:PORT` for clients. */
  readonly server: string
  /** URL for servers that form a cluster with it. */
  readonly route: string
  /** Kills it and waits for its end. */
  kill(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Starts it again on the same ports. */
  start(): Promise<void>
}

interface NatsOptions {
  /** Other servers of its cluster. */
  readonly routes?: readonly string[]
  readonly args?: readonly string[]
  readonly cluster?: string
}

/** Starts a server of NATS, which is stopped when the test ends. */
export async function startNats(t: ExecutionContext, options?: NatsOptions): Promise<NatsServer> {
  const server = await launchNats(options)
  t.teardown(() => server.kill())
  return server
}

/** Starts a server of NATS, which its caller stops. @throws Error if it is not installed */
export async function launchNats({ routes = [], args = [], cluster = 'test' }: NatsOptions = {}): Promise<NatsServer> {
  const program = findProgram('nats-server')
  if (program === undefined) throw new Error('NATS is not installed: on Debian, apt-get install nats-server')
  const ports = { clients: '-1', routes: '-1' }
  let child: ChildProcess
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
  const start = async () => {
    const own = ['-a', '127.0.0.1', '-p', ports.clients, '--cluster', `nats://127.0.0.1:${ports.routes}`]
    const others = routes.length > 0 ? ['--routes', routes.join(',')] : []
    const all = [...own, '--cluster_name', cluster, ...others, ...args]
    child = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'] })
    const output: string[] = []
    let found = 0
    for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
      output.push(line)
      const [clients, route] = [CLIENTS.exec(line)?.[1], ROUTES.exec(line)?.[1]]
      if (clients !== undefined) ports.clients = clients
      if (route !== undefined) ports.routes = route
      if (clients !== undefined || route !== undefined) found++
      if (found === 2) break
    }
    if (found < 2) throw new Error(`nats-server does not start: ${output.join('\n')}`)
    child.stderr?.resume()
  }
  await start()
  return {
    get pid() {
      return child.pid as number
    },
    get url() {
      return `nats://127.0.0.1:${ports.clients}`
    },
    get server() {
      return `127.0.0.1:${ports.clients}`
    },
    get route() {
      return `nats://127.0.0.1:${ports.routes}`
    },
    kill,
    signal: (signal) => void child.kill(signal),
    start,
  }
}

/** Starts servers of NATS that form a cluster. */
export async function startNatsCluster(t: ExecutionContext, count: number): Promise<NatsServer[]> {
  const servers: NatsServer[] = []
  for (let n = 0; n < count; n++) {
    const routes = servers.map(({ route }) => route)
    servers.push(await startNats(t, { routes }))
  }
  return servers
}

interface LinkOptions {
  /** Of the database. */
  readonly room?: string
  readonly clock?: Clock
  readonly log?: Logger
}

/** Connects a node of a cluster of three to servers of NATS. */
export function openLink(
  t: ExecutionContext,
  node: number,
  urls: readonly string[],
  { room = 'room', clock = SYSTEM_CLOCK, log = pino({ level: process.env.TEST_LOG ?? 'silent' }) }: LinkOptions = {},
): NatsLink {
  const others = () => [1, 2, 3].filter((id) => id !== node)
  const link = new NatsLink(natsServers(urls), { node, room, others, clock, log })
  t.teardown(() => link.close())
  return link
}

/** Resolves when the node is connected, or connected again. */
export const connected = (link: NatsLink): Promise<void> =>
  new Promise((resolve) => {
    const stop = link.cluster.onGap(() => {
      stop()
      resolve()
    })
  })

/** A link that cannot connect, and what it logs. */
export async function refusedLink(t: ExecutionContext, node: number, urls: readonly string[]) {
  let logged: (line: string) => void = () => {}
  const line = new Promise<string>((resolve) => {
    logged = resolve
  })
  const link = openLink(t, node, urls, { log: pino({ level: 'warn' }, { write: (text) => logged(text) }) })
  return { link, logged: JSON.parse(await line) }
}

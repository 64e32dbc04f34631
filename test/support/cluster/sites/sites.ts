import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type GaleraNode, type GaleraPlace, hasGalera, startGaleraAt } from '../../databases/galera.ts'
import { findProgram } from '../../databases/mariadb.ts'
import { tempFolder } from '../../temp-folder.ts'
import { copyKeys } from '../processes.ts'
import { FAKETIME } from './faketime.ts'
import { Gate } from './gate.ts'
import type { GateLine } from './gate-settings.ts'
import { Namespaces } from './namespaces.ts'
import { NATS_PORT, SiteNats } from './nats-server.ts'
import { SupervisedNode } from './supervised-node.ts'

const SITES = [1, 2, 3]
const PORTS = { sql: 3306, group: 4567, transfer: 4568 }
const NODE = { host: '127.0.0.1', port: 7300 }

const OPTIONS = { registration: { iterations: 4096, minPassword: 1 }, friends: { messagesFrom: 'anyone' } }

/** Whether the programs are here that sites need. */
export const hasPrograms = () =>
  hasGalera() && ['nats-server', 'ip', 'nft'].every((name) => findProgram(name) !== undefined) && existsSync(FAKETIME)

/** A place with a network of its own: a server of the database, one of NATS, and a node. */
export interface Site {
  readonly number: number
  readonly database: GaleraNode
  readonly nats: SiteNats
  readonly node: SupervisedNode
  readonly gate: Gate
  /** Unix socket by which clients reach the node. */
  readonly socket: string
}

/** Three sites. */
export interface Sites {
  readonly all: readonly Site[]
  readonly network: Namespaces
  /** Resolves when all databases are one cluster, and all nodes listen. */
  whole(): Promise<void>
}

const localPort = (base: number, site: number) => base + site

/** Opens three sites; everything ends with the test. @param env of the nodes */
export async function openSites(t: ExecutionContext, env: Readonly<Record<string, string>> = {}): Promise<Sites> {
  const network = new Namespaces(SITES.length)
  // The last to end: teardowns run in reverse order.
  t.teardown(() => network.close())
  await network.open()
  const folder = await tempFolder(t)
  const nats = SITES.map((site) => {
    const others = SITES.filter((other) => other !== site).map((other) => network.address(other))
    return new SiteNats(network.under(site), network.address(site), others)
  })
  for (const server of nats) {
    t.teardown(() => server.stop())
    await server.start()
  }
  const places = SITES.map(
    (site): GaleraPlace => ({ address: network.address(site), ports: PORTS, under: network.under(site) }),
  )
  const galera = await startGaleraAt(places)
  t.teardown(() => galera.close())
  await galera.nodes[0]?.run("create user chat@'%'")
  await galera.nodes[0]?.run("grant all on *.* to chat@'%'")
  const all: Site[] = []
  for (const number of SITES) {
    const socket = join(folder, `site${number}.sock`)
    const gate = await Gate.open(network.under(number), linesOf(network, socket))
    t.teardown(() => gate.close())
    if (number > 1) await copyKeys({ folder }, 'site1', `site${number}`)
    const node = new SupervisedNode({
      ...{ name: `site${number}`, folder, port: NODE.port, under: network.under(number) },
      env: { ...environment(number), ...env },
    })
    t.teardown(() => node.stop('SIGKILL'))
    await node.start()
    const [database, server] = [galera.nodes[number - 1] as GaleraNode, nats[number - 1] as SiteNats]
    all.push({ number, database, nats: server, node, gate, socket })
  }
  const whole = async () => {
    for (const { database, node } of all) {
      await database.whole()
      await node.listening()
    }
  }
  return { all, network, whole }
}

/** Clients reach the node of the site; the node reaches all databases and servers of NATS. */
const linesOf = (network: Namespaces, socket: string): GateLine[] => [
  { kind: 'clients', listen: { path: socket }, to: NODE },
  ...SITES.flatMap((site): GateLine[] => {
    const host = network.address(site)
    return [
      { kind: 'database', listen: { host: NODE.host, port: localPort(3300, site) }, to: { host, port: PORTS.sql } },
      { kind: 'nats', listen: { host: NODE.host, port: localPort(4300, site) }, to: { host, port: NATS_PORT } },
    ]
  }),
]

/** All write to the same database server, while they can; each uses its own server of NATS first. */
function environment(site: number): Record<string, string> {
  const databases = SITES.map((other) => `127.0.0.1:${localPort(3300, other)}`)
  const nats = [site, ...SITES.filter((other) => other !== site)].map(
    (other) => `nats://127.0.0.1:${localPort(4300, other)}`,
  )
  return {
    CHATCTL_DB: `mysql://chat@${databases.join(',')}/chat`,
    CHATCTL_CLUSTER: nats.join(','),
    CHATCTL_LOG_LEVEL: process.env.TEST_LOG ?? 'warn',
    CHATCTL_FILES: './files',
    CHATCTL_OPTIONS: JSON.stringify(OPTIONS),
  }
}

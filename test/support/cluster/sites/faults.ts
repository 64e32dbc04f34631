import { setTimeout as sleep } from 'node:timers/promises'
import type { GaleraNode } from '../../databases/galera.ts'
import type { Random } from '../../random.ts'
import type { Crowd } from './crowd.ts'
import { type Disturbance, type LineKind, UNDISTURBED } from './gate-settings.ts'
import type { Site, Sites } from './sites.ts'

const HOLD_MS = [500, 6000] as const
/** Longer than the lease of a node. */
const LONG_PAUSE_MS = 11_000
const SKEW_S = 3600
const FLAPS = 5

/** What faults act on. */
export interface Field {
  readonly sites: Sites
  readonly crowd: Crowd
  readonly random: Random
  /** Milliseconds until the nodes that are left reported the users of a dead one as offline. */
  readonly offlineMs: number[]
}

type Domain = 'nodes' | 'NATS' | 'database' | 'network' | 'lines'

/** A fault: strikes, holds for a while, and heals. */
export interface Fault {
  readonly name: string
  readonly of: Domain
  /** The nodes, and nothing else, are struck: clients have to be back at another one soon. */
  readonly isOfNodes?: boolean
  run(field: Field): Promise<void>
}

const hold = ({ random }: Field) => sleep(random.between(...HOLD_MS))
const preferred = ({ sites }: Field): GaleraNode => (sites.all[0] as Site).database
const anySite = ({ sites, random }: Field): Site => random.pick(sites.all)

/** The watchers elsewhere are told that the users of a dead node are offline; then it is started again. */
async function killNode(field: Field) {
  const { crowd, offlineMs } = field
  const { node, number } = anySite(field)
  const dweller = crowd.neighbours[number - 1]?.dweller.settings.user as string
  const others = crowd.neighbours.filter((_, at) => at !== number - 1)
  const from = performance.now()
  await node.stop('SIGKILL')
  await crowd.until(async () => (await crowd.online(others)).every((names) => !names.includes(dweller)))
  offlineMs.push(performance.now() - from)
  await node.start()
}

async function restartAll({ sites }: Field) {
  for (const { node } of sites.all) {
    await node.stop('SIGTERM')
    await node.start()
  }
}

async function suspend(field: Field, process: { signal(signal: NodeJS.Signals): void }) {
  process.signal('SIGSTOP')
  await hold(field)
  process.signal('SIGCONT')
}

interface Server {
  stop(signal: NodeJS.Signals): Promise<void>
  start(): Promise<void>
}

async function kill(field: Field, servers: readonly Server[]) {
  await Promise.all(servers.map((server) => server.stop('SIGKILL')))
  await hold(field)
  await Promise.all(servers.map((server) => server.start()))
}

async function cut(field: Field) {
  const { network } = field.sites
  const { number } = anySite(field)
  await network.plug(number, false)
  await hold(field)
  await network.heal()
}

/** @param isOneWay whether one of both still hears the other */
async function part(field: Field, isOneWay: boolean) {
  const { network, all } = field.sites
  const from = anySite(field)
  const to = field.random.pick(all.filter((site) => site !== from))
  await network.drop(from.number, to.number)
  if (!isOneWay) await network.drop(to.number, from.number)
  await hold(field)
  await network.heal()
}

async function flap(field: Field) {
  const { network } = field.sites
  const { number } = anySite(field)
  for (let left = FLAPS; left > 0; left--) {
    await network.plug(number, false)
    await sleep(field.random.between(50, 600))
    await network.plug(number, true)
    await sleep(field.random.between(50, 600))
  }
}

/** Disturbs lines of a kind at some sites. */
async function disturb(field: Field, sites: readonly Site[], kind: LineKind, disturbance: Partial<Disturbance>) {
  for (const { gate } of sites) gate.disturb(kind, { ...UNDISTURBED, ...disturbance })
  await hold(field)
  for (const { gate } of sites) gate.disturb(kind, UNDISTURBED)
}

const disturbAll = (field: Field, kind: LineKind, disturbance: Partial<Disturbance>) =>
  disturb(field, field.sites.all, kind, disturbance)

const silence = (field: Field, kind: LineKind) => disturb(field, [anySite(field)], kind, { isSilent: true })

export const FAULTS: readonly Fault[] = [
  { name: 'a node is killed', of: 'nodes', isOfNodes: true, run: killNode },
  { name: 'all nodes restart, one after the other', of: 'nodes', isOfNodes: true, run: restartAll },
  { name: 'a node is suspended', of: 'nodes', run: (field) => suspend(field, anySite(field).node) },
  {
    name: 'a node is suspended until its lease has ended',
    of: 'nodes',
    async run(field) {
      const { node } = anySite(field)
      node.signal('SIGSTOP')
      await sleep(LONG_PAUSE_MS)
      node.signal('SIGCONT')
    },
  },
  { name: 'a server of NATS is killed', of: 'NATS', run: (field) => kill(field, [anySite(field).nats]) },
  { name: 'a server of NATS is suspended', of: 'NATS', run: (field) => suspend(field, anySite(field).nats) },
  {
    name: 'all servers of NATS are killed',
    of: 'NATS',
    run: (field) =>
      kill(
        field,
        field.sites.all.map(({ nats }) => nats),
      ),
  },
  { name: 'a database server is killed', of: 'database', run: (field) => kill(field, [anySite(field).database]) },
  { name: 'the preferred database server is killed', of: 'database', run: (field) => kill(field, [preferred(field)]) },
  { name: 'a database server is suspended', of: 'database', run: (field) => suspend(field, anySite(field).database) },
  {
    name: 'the preferred database server is suspended',
    of: 'database',
    run: (field) => suspend(field, preferred(field)),
  },
  { name: 'a site is cut off', of: 'network', run: cut },
  { name: 'two sites do not reach each other', of: 'network', run: (field) => part(field, false) },
  { name: 'one site does not hear another', of: 'network', run: (field) => part(field, true) },
  { name: 'the link of a site flaps', of: 'network', run: flap },
  { name: 'a node does not reach the database', of: 'lines', run: (field) => silence(field, 'database') },
  { name: 'a node does not reach NATS', of: 'lines', run: (field) => silence(field, 'nats') },
  { name: 'clients do not reach a node', of: 'lines', run: (field) => silence(field, 'clients') },
  { name: 'the database is slow', of: 'lines', run: (field) => disturbAll(field, 'database', { delayMs: 20 }) },
  { name: 'NATS is slow', of: 'lines', run: (field) => disturbAll(field, 'nats', { delayMs: 200 }) },
  {
    name: 'connections to the database break',
    of: 'lines',
    run: (field) => disturbAll(field, 'database', { breaks: 0.02 }),
  },
  { name: 'connections to NATS break', of: 'lines', run: (field) => disturbAll(field, 'nats', { breaks: 0.05 }) },
  { name: 'connections of clients break', of: 'lines', run: (field) => disturbAll(field, 'clients', { breaks: 0.01 }) },
  {
    name: 'the clock of a node is wrong by an hour',
    of: 'nodes',
    async run(field) {
      const { node } = anySite(field)
      await node.skew(field.random.chance(0.5) ? SKEW_S : -SKEW_S)
      await hold(field)
      await node.skew(0)
    },
  },
]

/** The nodes on one server of a database cluster and the network fail together: that is Galera's own matter. */
const APART: readonly Domain[] = ['database', 'network']

/** Whether two faults may strike together: neither ends the other. */
export const mayMeet = (one: Fault, other: Fault) =>
  one.of !== other.of && !(APART.includes(one.of) && APART.includes(other.of))

import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../random.ts'
import type { Crowd } from './crowd.ts'
import { type Disturbance, type LineKind, STILL } from './gate-settings.ts'
import type { Site, Sites } from './sites.ts'

const HOLD_MS = [500, 4000] as const
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

/** A fault: strikes, holds for a while, and heals. */
export interface Fault {
  readonly name: string
  /** The nodes, and nothing else, are struck: clients have to be back at another one soon. */
  readonly isOfNodes?: boolean
  run(field: Field): Promise<void>
}

const hold = ({ random }: Field) => sleep(random.between(...HOLD_MS))
const anySite = ({ sites, random }: Field): Site => random.pick(sites.all)

/** The watchers elsewhere are told that the users of a dead node are offline; then it is started again. */
async function killNode(field: Field) {
  const { sites, crowd, offlineMs } = field
  const { node, number } = anySite(field)
  const dweller = crowd.neighbours[number - 1]?.dweller.settings.user as string
  const from = performance.now()
  const told = sites.all
    .filter((site) => site.number !== number)
    .map((site) => crowd.offline(crowd.neighbours[site.number - 1]?.watcher as never, dweller))
  await node.stop('SIGKILL')
  await Promise.all(told)
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

async function killAllNats(field: Field) {
  const all = field.sites.all.map(({ nats }) => nats)
  await Promise.all(all.map((nats) => nats.stop()))
  await hold(field)
  await Promise.all(all.map((nats) => nats.start()))
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

async function disturb(field: Field, kind: LineKind, disturbance: Disturbance) {
  for (const { gate } of field.sites.all) gate.disturb(kind, disturbance)
  await hold(field)
  for (const { gate } of field.sites.all) gate.disturb(kind, STILL)
}

export const FAULTS: readonly Fault[] = [
  { name: 'a node is killed', isOfNodes: true, run: killNode },
  { name: 'all nodes restart, one after the other', isOfNodes: true, run: restartAll },
  { name: 'a node is suspended', run: (field) => suspend(field, anySite(field).node) },
  {
    name: 'a node is suspended until its lease has ended',
    async run(field) {
      const { node } = anySite(field)
      node.signal('SIGSTOP')
      await sleep(LONG_PAUSE_MS)
      node.signal('SIGCONT')
    },
  },
  {
    name: 'a server of NATS is killed',
    async run(field) {
      const { nats } = anySite(field)
      await nats.stop()
      await hold(field)
      await nats.start()
    },
  },
  { name: 'a server of NATS is suspended', run: (field) => suspend(field, anySite(field).nats) },
  { name: 'all servers of NATS are killed', run: killAllNats },
  {
    name: 'a database server is killed',
    async run(field) {
      const { database } = anySite(field)
      await database.stop('SIGKILL')
      await hold(field)
      await database.start()
    },
  },
  {
    name: 'the preferred database server is killed',
    async run(field) {
      const [{ database }] = field.sites.all as [Site]
      await database.stop('SIGKILL')
      await hold(field)
      await database.start()
    },
  },
  { name: 'a database server is suspended', run: (field) => suspend(field, anySite(field).database) },
  {
    name: 'the preferred database server is suspended',
    run: (field) => suspend(field, (field.sites.all[0] as Site).database),
  },
  { name: 'a site is cut off', run: cut },
  { name: 'two sites do not reach each other', run: (field) => part(field, false) },
  { name: 'one site does not hear another', run: (field) => part(field, true) },
  { name: 'the link of a site flaps', run: flap },
  { name: 'the database is slow', run: (field) => disturb(field, 'database', { delayMs: 20, breaks: 0 }) },
  { name: 'NATS is slow', run: (field) => disturb(field, 'nats', { delayMs: 200, breaks: 0 }) },
  {
    name: 'connections to the database break',
    run: (field) => disturb(field, 'database', { delayMs: 1, breaks: 0.02 }),
  },
  { name: 'connections to NATS break', run: (field) => disturb(field, 'nats', { delayMs: 1, breaks: 0.05 }) },
  { name: 'connections of clients break', run: (field) => disturb(field, 'clients', { delayMs: 5, breaks: 0.01 }) },
  {
    name: 'the clock of a node is wrong by an hour',
    async run(field) {
      const { node } = anySite(field)
      await node.skew(field.random.chance(0.5) ? SKEW_S : -SKEW_S)
      await hold(field)
      await node.skew(0)
    },
  },
]

import type { LoginKeys } from '../../client/credentials.ts'
import type { KeyPair, PluginFailure } from '../../core/index.ts'
import { Random } from '../support/random.ts'
import { Judge } from './judge/judge.ts'
import { EventLoop } from './machine/event-loop.ts'
import { machine } from './machine/machine.ts'
import { Trace } from './machine/trace.ts'
import { Subscribers } from './play/device.ts'
import { Faults } from './play/faults.ts'
import { Play } from './play/play.ts'
import { SimulatedBus } from './world/bus.ts'
import { Network } from './world/network.ts'
import { SimulatedNode } from './world/node.ts'
import { Receiver } from './world/receiver.ts'
import { SharedDatabase } from './world/shared-database.ts'

/** What all runs of a process have in common. */
export interface Stage {
  readonly folder: string
  /** Database with the accounts of `names`. */
  readonly image: Buffer
  readonly names: readonly string[]
  readonly keys: LoginKeys
  readonly key: KeyPair
}

export interface RunOptions {
  readonly seed: number
  readonly nodes: number
  /** Without faults. */
  readonly isCalm: boolean
  /** File for the trace. */
  readonly traceTo?: string | undefined
}

export interface Outcome {
  readonly seed: number
  /** Hash of everything that happened: the same for the same seed. */
  readonly trace: string
  readonly events: number
  readonly messages: number
  readonly faults: number
  readonly simulatedMs: number
  /** Statements of all nodes. */
  readonly statements: number
  /** Messages of the bus between nodes, and their bytes. */
  readonly said: { readonly messages: number; readonly bytes: number }
  /** Of code of plugins: what is behind an answer `internal`. */
  readonly failures: readonly PluginFailure[]
  readonly error: Error | undefined
}

/** Users of a run, and actions of each of them. */
const USERS = [3, 6] as const
const ACTIONS = [5, 25] as const

/** Of what servers say to each other. */
const BUS_DELAYS_MS = [0.3, 20, 200]

/** Plays one run: servers, users and faults from a seed. */
export async function play(
  { folder, image, names, keys, key }: Stage,
  { seed, nodes, isCalm, traceTo }: RunOptions,
): Promise<Outcome> {
  const random = new Random(seed)
  const trace = new Trace(traceTo)
  const loop = new EventLoop(random, trace)
  machine.entropy = random.fork()
  machine.loop = loop
  const onRejection = (error: unknown) => loop.fail(new Error('unhandled rejection', { cause: error }))
  process.on('unhandledRejection', onRejection)
  const network = new Network(loop)
  const database = new SharedDatabase(loop, folder, image)
  const judge = new Judge(loop, database.file)
  const receiver = new Receiver(loop)
  machine.request = receiver.request as never
  receiver.onPosted = (path, event) => judge.hooks.posted(path.slice(1), event)
  database.onCommit = () => judge.log.read()
  const bus = nodes > 1 ? new SimulatedBus(loop) : undefined
  // With a slow one, servers act for a while on what others have changed since.
  if (bus !== undefined) bus.faults = { lost: 0, repeated: 0, delayMs: random.pick(BUS_DELAYS_MS) }
  const limits = { unacknowledged: random.pick([2, 5, 20, 100]) }
  const subscribers = new Subscribers()
  const common = { loop, network, database, bus, key, filesFolder: folder, limits }
  const setting = { ...common, onSubscribed: subscribers.handled }
  const servers = Array.from({ length: nodes }, (_, at) => new SimulatedNode(`node${at + 1}`, setting))
  const faults = new Faults({ loop, network, nodes: servers, bus })
  let error: Error | undefined
  try {
    await loop.run(async () => {
      for (const server of servers) await server.start()
      const users = names.slice(0, Math.round(random.between(...USERS)))
      const acting = new Play({ loop, network, nodes: servers, judge, keys, subscribers }, users)
      await acting.addHooks()
      // With more nodes, more fails at the same time.
      const failing = Promise.all(isCalm ? [] : servers.map(() => faults.run()))
      await acting.act(Math.round(random.between(...ACTIONS)))
      await faults.stop()
      await failing
      await acting.end()
      await acting.close()
      for (const server of servers) await server.stop()
    })
  } catch (failure) {
    error = failure as Error
  }
  machine.loop = undefined
  process.off('unhandledRejection', onRejection)
  for (const server of servers) server.crash(false)
  const { size } = judge.log.messages
  judge.close()
  const said = bus?.sent ?? { messages: 0, bytes: 0 }
  const counts = { statements: database.statements, said }
  const outcome = {
    ...counts,
    messages: size,
    faults: faults.count,
    simulatedMs: loop.now,
    events: trace.length,
    failures: servers.flatMap(({ failures }) => failures),
    error,
  }
  return { seed, trace: trace.end(), ...outcome }
}

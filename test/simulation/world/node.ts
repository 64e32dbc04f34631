import type { Knex } from 'knex'
import pino, { type Logger } from 'pino'
import { NodeLease } from '../../../cli/server/cluster/node-lease.ts'
import {
  type App,
  type ClientMessage,
  type Clock,
  createServer,
  definePlugin,
  type InputOf,
  type KeyPair,
  type PluginFailure,
  ratesOff,
  type Server,
} from '../../../core/index.ts'
import { isUnavailable, loadOf, Nodes, ping } from '../../../db/index.ts'
import { Consume } from '../../../plugins/consumers/messages.ts'
import { BUILT_IN, type KnownLimitSettings } from '../../../plugins/index.ts'
import { Receive } from '../../../plugins/messages/messages.ts'
import type { EventLoop, Process } from '../machine/event-loop.ts'
import type { BusNode, SimulatedBus } from './bus.ts'
import type { Endpoint, Network } from './network.ts'
import { NodeDatabase } from './node-database.ts'
import type { SharedDatabase } from './shared-database.ts'

const SILENT = pino({ level: 'silent' })

/** What all nodes of a run have in common. */
export interface Setting {
  readonly loop: EventLoop
  readonly network: Network
  readonly database: SharedDatabase
  /** Undefined for a server without other nodes. */
  readonly bus: SimulatedBus | undefined
  readonly key: KeyPair
  readonly filesFolder: string
  readonly limits: KnownLimitSettings
  readonly log?: Logger
  /** Called with the address of a session whose subscription to pushes was handled. */
  readonly onSubscribed: (address: string) => void
}

/** The parts of a node while its process lives. */
interface Running {
  readonly process: Process
  bus: BusNode | undefined
  lease: NodeLease | undefined
  database: NodeDatabase | undefined
  server: Server | undefined
  app: App | undefined
}

/** An administrator, without an account. */
const ADMIN = { id: 1, name: 'ann', nickname: 'ann', role: 'admin' } as const

/** A machine with the production server, all built-in plugins included. Each start is a new process. */
export class SimulatedNode implements Endpoint {
  readonly name: string
  /** The difference between its wall clock and the true time, in milliseconds. */
  skew = 0
  /** Clients cannot reach it. */
  isCut = false
  readonly failures: PluginFailure[] = []
  readonly #setting: Setting
  #running: Running | undefined
  #starts = 0

  constructor(name: string, setting: Setting) {
    this.name = name
    this.#setting = setting
  }

  get server(): Server | undefined {
    return this.#running?.server
  }

  get process(): Process | undefined {
    return this.#running?.process
  }

  get database(): NodeDatabase | undefined {
    return this.#running?.database
  }

  get bus(): BusNode | undefined {
    return this.#running?.bus
  }

  get isUp(): boolean {
    return this.#running !== undefined
  }

  /** Starts the server, unless it crashes meanwhile or the database fails. @throws anything else that keeps it from starting */
  async start() {
    const { loop, network } = this.#setting
    const process = loop.process(`${this.name}.${++this.#starts}`)
    const running: Running = {
      process,
      bus: undefined,
      lease: undefined,
      database: undefined,
      server: undefined,
      app: undefined,
    }
    this.#running = running
    try {
      await loop.in(process, () => this.#open(running))
    } catch (error) {
      if (process.isDead) return
      this.#drop(running)
      network.ended(this, true)
      if (!isUnavailable((error as Error).cause ?? error)) throw error
    }
  }

  async #open(running: Running) {
    const { loop, database, bus, limits, key, filesFolder, onSubscribed, log = SILENT } = this.#setting
    const opened = await NodeDatabase.open(database, running.process, () => this.crash(true))
    running.database = opened
    if (bus !== undefined) await this.#join(running, opened.db, bus)
    const observer = definePlugin({
      name: 'observer',
      setup(app) {
        running.app = app
        for (const message of [Receive, Consume]) app.on(message, ({ address }) => onSubscribed(address))
      },
    })
    running.server = await createServer({
      staticKey: key,
      secret: Buffer.alloc(32, 'simulated'),
      plugins: [...BUILT_IN, observer],
      builtIn: [...BUILT_IN, observer],
      epoch: 'simulated',
      pluginOptions: { friends: { messagesFrom: 'anyone' }, files: { folder: filesFolder } },
      db: opened.db,
      isUnavailable,
      databaseLoad: loadOf(opened.db),
      checkDatabase: () => ping(opened.db),
      limits: { ...ratesOff(BUILT_IN), ...limits },
      clock: clockOf(loop, running.process, () => this.skew),
      ...(running.bus !== undefined && { cluster: running.bus }),
      pluginFailed: (failure) => this.failures.push(failure),
      log,
      audit: log,
    })
  }

  /** Handles a request of an administrator. */
  async administer<M extends ClientMessage>(message: M, values: InputOf<M>) {
    const { app, process } = this.#running ?? {}
    if (app === undefined || process === undefined) throw new Error(`${this.name} does not run`)
    return this.#setting.loop.in(process, () => app.onBehalfOf(ADMIN).request(message, values))
  }

  /** Adds the node to the others, as a server does before it starts. One that has lost its lease ends. */
  async #join(running: Running, db: Knex, bus: SimulatedBus) {
    const { loop, log = SILENT } = this.#setting
    // The clock of the database, which is the same for all nodes.
    const clock = clockOf(loop, running.process, () => 0)
    const nodes = new Nodes(db, clock)
    const joinedAt = clock.now()
    const id = await nodes.join({ name: this.name, version: '0', protocol: 1, settings: {} })
    running.bus = bus.join(running.process, id)
    running.lease = new NodeLease(nodes, id, { clock, log, joinedAt, others: [] })
    void running.lease.lost.then(() => this.crash(true))
  }

  /** Kills the process between two of its steps. @param isTold whether its clients are told, as by the kernel */
  crash(isTold: boolean) {
    const running = this.#running
    if (running === undefined) return
    const { loop, network } = this.#setting
    loop.trace.add(`${running.process.name} crashes`)
    this.#drop(running)
    network.ended(this, isTold)
  }

  /** Stops the server as on SIGTERM. Never settles if the node crashes meanwhile. */
  async stop() {
    const running = this.#running
    if (running?.server === undefined) return
    const { loop } = this.#setting
    await loop.in(running.process, () => this.#close(running))
    this.#drop(running)
  }

  async #close({ server, lease, database }: Running) {
    await server?.stop()
    await lease?.end()
    await database?.db.destroy()
  }

  #drop(running: Running) {
    if (this.#running !== running) return
    const { loop, bus } = this.#setting
    this.#running = undefined
    loop.kill(running.process)
    if (running.bus !== undefined) bus?.leave(running.bus)
    running.database?.drop()
  }
}

/** A clock of a process. @param skew milliseconds that its wall clock is ahead */
const clockOf = (loop: EventLoop, process: Process, skew: () => number): Clock => ({
  time: () => loop.time() + skew(),
  now: () => loop.now,
  after: (ms, task) => loop.after(process, ms, task),
  every(ms, task) {
    const timer = loop.after(process, Math.max(1, ms), () => {
      loop.again(timer, Math.max(1, ms))
      task()
    })
    return timer
  },
})

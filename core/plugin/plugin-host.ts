import { createHmac } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { SetupError } from '../errors.ts'
import type { Routes } from '../http/routes.ts'
import type { Limits } from '../limits.ts'
import type { MetricRegistry } from '../metrics/registry.ts'
import type { EventRelay } from '../session/event-relay.ts'
import type { Presence } from '../session/presence.ts'
import type { UserSession } from '../session/session.ts'
import type { RemoteSession, Transport, TransportSession } from '../session/transport.ts'
import type { User } from '../session/user.ts'
import type { Users } from '../session/users.ts'
import type { Catalogue, Message } from '../wire/index.ts'
import { checkApi } from './api-version.ts'
import { ruleOf } from './before.ts'
import { checkFailures, ownLimits } from './definitions.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Bus } from './events.ts'
import type { AnyPlugin, App } from './plugin.ts'
import { factsOf, type PluginFacts } from './plugin-facts.ts'
import { readOptions } from './plugin-options.ts'
import { type PluginFailure, PluginRecord } from './plugin-record.ts'

/** Longest time one plugin may take to start. */
const SETUP_MS = 30_000
export interface HostParts {
  readonly bus: Bus
  readonly dispatcher: Dispatcher
  readonly catalogue: Catalogue
  readonly routes: Routes
  readonly metrics: MetricRegistry
  readonly users: Users
  readonly presence: Presence
  readonly limits: Limits
  readonly log: Logger
  readonly audit: Logger
  readonly db: Knex
  readonly secret: Buffer
  readonly epoch: string
  readonly clock: Clock
  readonly cluster: Cluster
  /** The way of events to other nodes, if there are any. */
  readonly eventRelay: EventRelay | undefined
  readonly pluginFailed: ((failure: PluginFailure) => void) | undefined
  /** Whether a plugin is built in: its status and metrics have no prefix. */
  isOwn(plugin: AnyPlugin): boolean
  onBehalfOf(user: User): UserSession
  remote(user: User, address: string): RemoteSession
  accept(stream: Duplex, address: string): void
  admit(transport: Transport, address: string): TransportSession | undefined
}

/** Starts plugins in the order of their needs, and stops them in the opposite one. */
export class PluginHost {
  readonly records: PluginRecord[] = []
  readonly #parts: HostParts
  readonly #apis = new Map<string, unknown>()

  constructor(parts: HostParts) {
    this.#parts = parts
  }

  /**
   * @param options of each plugin, by its name
   * @param from where the options were written, for the error
   * @throws SetupError naming the plugin, for another API version, a missing need, a cycle, bad options, a clash of
   *   message types or failures, a failed setup
   */
  async start(plugins: readonly AnyPlugin[], options: Readonly<Record<string, unknown>>, from?: string) {
    const ordered = inOrderOfNeeds(plugins)
    for (const plugin of ordered) checkApi(plugin)
    const read = readOptions(ordered, options, from)
    checkFailures(ordered)
    // All definitions first, so that a plugin may look up another one's message while it starts.
    for (const plugin of ordered) this.#define(plugin)
    for (const plugin of ordered) await this.#startOne(plugin, read.get(plugin.name))
  }

  /** The plugins as `chatctl plugin list` shows them, in the order of their start. */
  facts(): Promise<PluginFacts[]> {
    return Promise.all(this.records.map((record) => factsOf(record, this.#parts.isOwn(record.plugin))))
  }

  /** State of each plugin, for `chatctl status`. */
  get states() {
    return this.records.map(({ plugin: { name, version }, state }) => ({ name, version, ...state }))
  }

  /** What the plugins add to `chatctl status`. */
  get reports(): Record<string, number | string> {
    const named = this.records.flatMap(({ plugin, report }) =>
      Object.entries(report).map(([name, value]) => [
        this.#parts.isOwn(plugin) ? name : `${plugin.name}.${name}`,
        value,
      ]),
    )
    return Object.fromEntries(named)
  }

  async stop() {
    for (const record of this.records.splice(0).reverse()) {
      record.abort.abort()
      for (const cleanup of record.cleanups.splice(0).reverse()) {
        try {
          await cleanup()
        } catch (error) {
          record.failed(error, 'stop')
        }
      }
    }
  }

  #define(plugin: AnyPlugin) {
    for (const message of Object.values(plugin.messages ?? {})) {
      try {
        this.#parts.catalogue.add(message, `plugin ${plugin.name}`)
      } catch (error) {
        throw new SetupError((error as Error).message, { cause: error })
      }
    }
  }

  async #startOne(plugin: AnyPlugin, options: unknown) {
    const record = new PluginRecord(plugin, this.#parts)
    this.records.push(record)
    const needs = Object.fromEntries(
      Object.entries(plugin.needs ?? {}).map(([key, needed]) => [key, this.#apis.get(needed.name)]),
    )
    const { db, limits } = this.#parts
    const context = { options, needs, limits: ownLimits(plugin, limits), log: record.log, db }
    try {
      const setup = Promise.resolve(plugin.setup(this.#app(record), context))
      this.#apis.set(plugin.name, await withDeadline(setup, SETUP_MS, this.#parts.clock))
    } catch (error) {
      if (error instanceof SetupError) throw error
      throw new SetupError(`plugin ${plugin.name} failed to start: ${(error as Error).message}`, { cause: error })
    }
  }

  #app(record: PluginRecord): App {
    const { bus, dispatcher, catalogue, users, presence, limits, audit, secret, epoch, clock, cluster } = this.#parts
    const { accept, admit, onBehalfOf, remote, routes, eventRelay } = this.#parts
    const { plugin, cleanups, registered } = record
    const known = (message: Message) => {
      if (catalogue.byType(message.type) === message) return
      throw new SetupError(
        `plugin ${plugin.name} uses message ${message.name}, which no loaded plugin lists in "messages"`,
      )
    }
    return {
      users,
      presence,
      limits,
      catalogue,
      audit,
      accept,
      admit,
      onBehalfOf,
      remote,
      epoch,
      clock,
      cluster,
      signal: record.abort.signal,
      secret: (purpose) => createHmac('sha256', secret).update(`${plugin.name}:${purpose}`).digest(),
      handle: (message, handler, { rated = true, serial = false, pipelined = rated !== true } = {}) => {
        known(message)
        const undo = dispatcher.handle(message, record, handler, { rated, serial, pipelined })
        if (undo === undefined) throw new SetupError(`plugin ${plugin.name}: ${message.name} has a handler already`)
        cleanups.push(undo)
        registered.handles.push(message.name)
      },
      before: (message, hook, options = {}) => {
        known(message)
        const rule = ruleOf(options, `plugin ${plugin.name}, before ${message.name}`)
        cleanups.push(dispatcher.before(message, record, hook, rule))
        const { refusal, ...how } = rule
        registered.before.push({ message: message.name, ...how, ...(refusal && { refusal: refusal.code }) })
      },
      on: (event: { readonly name: string }, listener: (...payload: never[]) => unknown) => {
        const off = bus.on(event.name, listener, (error) => record.failed(error, event.name))
        cleanups.push(off)
        registered.listens.push(event.name)
        return () => {
          if (!remove(cleanups, off)) return
          off()
          remove(registered.listens, event.name)
        }
      },
      http: {
        route: (route) => {
          cleanups.push(routes.add(route, (error) => record.failed(error, `http ${route.prefix}`)))
          registered.routes.push(route.prefix)
        },
      },
      emit: (event, payload) => bus.emit(event.name, payload),
      share: (event, payload, about) => {
        bus.emit(event.name, payload)
        eventRelay?.say(event.name, payload, about)
      },
      metrics: this.#parts.metrics.of({
        prefix: this.#parts.isOwn(plugin)
          ? 'chatctl_'
          : `chatctl_plugin_${plugin.name.replace(/\W/g, '_').toLowerCase()}_`,
        failed: (error) => record.failed(error, 'metrics'),
        onStop: (remove) => cleanups.push(remove),
      }),
      every: (ms, task) => {
        const guarded = async () => {
          try {
            await task()
          } catch (error) {
            record.failed(error, 'timer')
          }
        }
        const timer = clock.every(ms, () => void guarded()).unref()
        cleanups.push(() => timer.cancel())
        registered.timers.push(ms)
      },
      status: (report) => record.reports.push(report),
      onStop: (task) => cleanups.push(task),
    }
  }
}

function remove<T>(from: T[], item: T): boolean {
  const index = from.indexOf(item)
  if (index >= 0) from.splice(index, 1)
  return index >= 0
}

function inOrderOfNeeds(plugins: readonly AnyPlugin[]): AnyPlugin[] {
  const byName = new Map<string, AnyPlugin>()
  for (const plugin of plugins) {
    if (byName.has(plugin.name)) throw new SetupError(`two plugins are named "${plugin.name}"`)
    byName.set(plugin.name, plugin)
  }
  const ordered = new Set<AnyPlugin>()
  const visit = (plugin: AnyPlugin, path: readonly string[]) => {
    if (ordered.has(plugin)) return
    if (path.includes(plugin.name))
      throw new SetupError(`plugins need each other: ${[...path, plugin.name].join(' needs ')}`)
    for (const { name } of Object.values(plugin.needs ?? {})) {
      const needed = byName.get(name)
      if (needed === undefined) throw new SetupError(`plugin ${plugin.name} needs ${name}, which is not loaded`)
      visit(needed, [...path, plugin.name])
    }
    ordered.add(plugin)
  }
  for (const plugin of plugins) visit(plugin, [])
  return [...ordered]
}

async function withDeadline<T>(work: Promise<T>, ms: number, clock: Clock): Promise<T> {
  let timer: Timer | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = clock.after(ms, () => reject(new Error(`no answer within ${ms / 1000} s`)))
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    timer?.cancel()
  }
}

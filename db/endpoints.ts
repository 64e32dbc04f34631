import { createConnection } from 'mysql2/promise'
import { type ConnectionSettings, connectionsOf, endpointName } from './database-url.ts'
import { withDeadline } from './deadline.ts'
import { DatabaseError } from './errors.ts'

/** Time for a connection. With several servers it is short: the next one is waiting. */
const CONNECT_MS = { one: 5000, several: 1500 }
/** Interval at which servers of higher preference are checked. */
const RETURN_MS = 5000
/** Time for which all servers may be behind. */
const BEHIND_MS = 30_000

/** The part of a mysql2 connection that is used here. */
export interface MysqlConnection {
  query(statement: string | object, done: (error: Error | null, result: never) => void): void
  destroy(): void
}

type Ask = <T>(sql: string) => Promise<T[]>

export interface EndpointOptions {
  /** Another server is used from now on. */
  readonly onSwitch?: (from: string, to: string) => void
  /** Every server has been behind for long: the database was set back, and must not be used any more. */
  readonly onBehind?: (error: DatabaseError) => void
  /** Time for which all servers may be behind; 30 s by default. */
  readonly behindMs?: number
}

/** A server of the database that must not be used now. */
export class EndpointUnusable extends Error {
  readonly code = 'ENDPOINT_UNUSABLE'
  readonly isBehind: boolean

  constructor(message: string, { isBehind = false } = {}) {
    super(message)
    this.isBehind = isBehind
  }
}

/**
 * The servers of a database, in the order of preference, of which a process uses one. It goes to the next one when that
 * one fails, and returns when a preferred one is back. A server is used only if it has everything that this process has
 * seen: a resumed one that is merely behind looks the same as one that was set back.
 */
export class Endpoints {
  readonly connectMs: number
  readonly #all: readonly ConnectionSettings[]
  readonly #options: EndpointOptions
  #current: ConnectionSettings
  /** Counts the changes of the server in use. */
  #generation = 0
  /** The highest number of the log that this process knows of. */
  #seen = 0
  #choosing: Promise<void> | undefined
  /** Time since which all servers are behind, milliseconds of `performance.now`. */
  #behindSince: number | undefined
  #returning: NodeJS.Timeout | undefined
  readonly #generations = new WeakMap<object, number>()

  /** @throws DatabaseError for a URL that is none */
  constructor(url: string, options: EndpointOptions = {}) {
    this.#all = connectionsOf(url)
    this.#current = this.#all[0] as ConnectionSettings
    this.#options = options
    this.connectMs = this.#all.length > 1 ? CONNECT_MS.several : CONNECT_MS.one
  }

  get current(): ConnectionSettings {
    return this.#current
  }

  /** Name of the server in use. */
  get name(): string {
    return endpointName(this.#current)
  }

  get areSeveral(): boolean {
    return this.#all.length > 1
  }

  /** Notes that this process knows of a committed number of the log. */
  saw(number: number) {
    if (number > this.#seen) this.#seen = number
  }

  /** Whether a connection leads to the server in use. */
  isCurrent(connection: object): boolean {
    return this.#generations.get(connection) === this.#generation
  }

  /**
   * Connects to the server in use, or to the next one if that fails.
   * @param open connects to one server, and checks it with `check`
   */
  async connect<T extends { destroy(): void }>(open: (settings: ConnectionSettings) => Promise<T>): Promise<T> {
    for (let isSecond = false; ; isSecond = true) {
      await this.#choosing
      const generation = this.#generation
      try {
        const connection = await open(this.#current)
        this.#generations.set(connection, generation)
        if (generation === this.#generation) return connection
        connection.destroy()
      } catch (error) {
        if (!this.areSeveral) this.#noneUsable([error])
        else if (generation === this.#generation) await this.#choose()
        if (isSecond || generation === this.#generation) throw error
      }
    }
  }

  /** A statement had no answer, or the server cannot write: another server is looked for, if this one fails a check. */
  doubt(connection: object) {
    if (this.areSeveral && this.isCurrent(connection)) void this.#choose()
  }

  /**
   * Checks the server of a new connection.
   * @throws EndpointUnusable when it cannot write now, or lacks what this process has seen
   */
  async check(ask: Ask) {
    const isGalera = (this.areSeveral || this.#seen > 0) && (await settingOf(ask, 'variables', 'wsrep_on')) === 'ON'
    if (this.areSeveral) {
      const [row] = await ask<{ isReadOnly: number }>('select @@global.read_only as isReadOnly')
      if (Number(row?.isReadOnly) !== 0) throw new EndpointUnusable('the server is read-only')
      if (isGalera && (await settingOf(ask, 'status', 'wsrep_ready')) !== 'ON')
        throw new EndpointUnusable('the server has lost its Galera cluster')
    }
    if (this.#seen === 0) return
    const wanted = this.#seen
    const last = await (isGalera ? causally(ask, () => lastOf(ask)) : lastOf(ask))
    if (last < wanted)
      throw new EndpointUnusable(`the server has the log up to ${last}, and not up to ${wanted}`, { isBehind: true })
  }

  close() {
    clearInterval(this.#returning)
  }

  #choose(): Promise<void> {
    this.#choosing ??= this.#probeAll().finally(() => {
      this.#choosing = undefined
    })
    return this.#choosing
  }

  /** Chooses the most preferred server that is usable. */
  async #probeAll() {
    const probes = this.#all.map((settings) => this.#probe(settings))
    const errors: unknown[] = []
    for (const [index, probe] of probes.entries()) {
      const error = await probe
      if (error === undefined) return this.#use(this.#all[index] as ConnectionSettings)
      errors.push(error)
    }
    this.#noneUsable(errors)
  }

  #use(settings: ConnectionSettings) {
    this.#behindSince = undefined
    clearInterval(this.#returning)
    if (settings !== this.#all[0])
      this.#returning = setInterval(() => {
        void this.#choose()
      }, RETURN_MS).unref()
    if (settings === this.#current) return
    const before = this.#current
    this.#current = settings
    this.#generation++
    this.#options.onSwitch?.(endpointName(before), endpointName(settings))
  }

  /** Resolves with the error of a server that is not usable. */
  async #probe(settings: ConnectionSettings): Promise<unknown> {
    let close = () => {}
    let isOver = false
    const check = async () => {
      const connection = await createConnection({ ...settings, connectTimeout: this.connectMs })
      close = () => connection.destroy()
      // An error of the connection also rejects the statement in progress.
      connection.on('error', () => {})
      if (isOver) close()
      await this.check(async (sql) => (await connection.query(sql))[0] as never)
    }
    try {
      await withDeadline(check(), this.connectMs, () => close())
      return undefined
    } catch (error) {
      return error
    } finally {
      isOver = true
      close()
    }
  }

  /** A server that is not reached may have what the others lack: only if all are behind there is none to wait for. */
  #noneUsable(errors: readonly unknown[]) {
    if (!errors.every((error) => error instanceof EndpointUnusable && error.isBehind)) {
      this.#behindSince = undefined
      return
    }
    this.#behindSince ??= performance.now()
    if (performance.now() - this.#behindSince < (this.#options.behindMs ?? BEHIND_MS)) return
    this.#options.onBehind?.(
      new DatabaseError(
        `the database lacks commits that this server has seen: ${(errors[0] as Error).message}. ` +
          'It was restored from a backup, or has lost them. Start the server again to go on with what there is',
      ),
    )
  }
}

async function settingOf(ask: Ask, of: 'variables' | 'status', name: string): Promise<string | undefined> {
  const [row] = await ask<{ Value: string }>(`show ${of} like '${name}'`)
  return row?.Value
}

/** A server of a Galera cluster shows a commit of another one only after a moment: waits for it. */
async function causally<T>(ask: Ask, read: () => Promise<T>): Promise<T> {
  await ask('set session wsrep_sync_wait = 1')
  const result = await read()
  await ask('set session wsrep_sync_wait = default')
  return result
}

/** The last number of the log; 0 when the tables are gone. */
async function lastOf(ask: Ask): Promise<number> {
  try {
    const [row] = await ask<{ last: number }>('select last from head where id = 1')
    return Number(row?.last ?? 0)
  } catch (error) {
    if ((error as { code?: string }).code === 'ER_NO_SUCH_TABLE') return 0
    throw error
  }
}

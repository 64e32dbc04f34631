import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Client, type ConnectOptions, connect, type LoginKeys } from '../../client/index.ts'
import { type Ended, openShell, type RunOptions, type Shell } from './cli.ts'

/** Rates are lifted: these plays send as fast as they can. */
const UNLIMITED = { requestRate: 1e9, requestBurst: 1e9, registrations: 1e9 }
/** Longer than any stay of a server: a request ends with its answer or its connection. */
const PATIENCE_MS = 120_000

export interface HouseOptions extends RunOptions {
  /** Limits of the server besides the rates, which are lifted. */
  readonly limits?: Readonly<Record<string, number>>
  /** More arguments of `chatctl serve`. */
  readonly args?: readonly string[]
}

/** A server in a process of its own, which can be killed and started again on the same data folder. */
export interface House {
  readonly shell: Shell
  readonly folder: string
  /** Where it listens now: another port after each start. */
  readonly host: string
  readonly port: number
  readonly pid: number
  start(options?: RunOptions): Promise<void>
  /** Sends a signal and waits for the end; gives what it said, and its exit code. */
  stop(signal?: NodeJS.Signals): Promise<Ended>
  /** Waits for the end. */
  ended(): Promise<Ended>
  /** Connects without logging in. */
  connect(options?: Partial<ConnectOptions>): Promise<Client>
  /** Logs in, with keys kept from the first time, when the account is made: no derivation later. */
  user(name: string, options?: Partial<ConnectOptions>): Promise<Client>
}

/** Starts `chatctl serve` in a folder that goes when the test ends. */
export async function openHouse(
  t: ExecutionContext,
  { limits, args = [], env, ...run }: HouseOptions = {},
): Promise<House> {
  const shell = await openShell(t)
  const keys = new Map<string, LoginKeys>()
  const environment = { ...env, CHATCTL_LIMITS: JSON.stringify({ ...UNLIMITED, ...limits }) }
  let server = await shell.serve(args, { ...run, env: environment })
  // Only the open ones: there may be a hundred thousand in a row.
  const clients = new Set<Client>()
  t.teardown(() => Promise.all([...clients].map((client) => client.close())))
  const enter = async (options: Partial<ConnectOptions> = {}) => {
    const client = await connect({
      server: server.server,
      reconnect: false,
      leastIterations: 4096,
      timeout: PATIENCE_MS,
      ...options,
    })
    clients.add(client)
    client.onLife('closed', () => clients.delete(client))
    return client
  }
  return {
    shell,
    folder: join(shell.folder, 'room'),
    get host() {
      return String(server.listening.host)
    },
    get port() {
      return Number(server.listening.port)
    },
    get pid() {
      return Number(server.listening.pid)
    },
    async start(options) {
      server = await shell.serve(args, { ...run, ...options, env: { ...environment, ...options?.env } })
    },
    stop: (signal) => server.stop(signal),
    ended: () => server.done,
    connect: enter,
    async user(name, options) {
      const client = await enter(options)
      const kept = keys.get(name)
      if (kept !== undefined) await client.login(name, { keys: kept })
      else {
        const password = `${name}'s password`
        await client.register(name, password)
        await client.login(name, { password })
        keys.set(name, client.keys as LoginKeys)
      }
      return client
    },
  }
}

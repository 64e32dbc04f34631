import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { Clients, type ServerHandle } from '../clients.ts'
import { newDatabase } from '../databases/mariadb.ts'
import { type Ended, openShell, type RunOptions, type Shell } from './shell.ts'

/** These tests send as fast as they can. */
const NO_RATES = { requestRate: 1e9, requestBurst: 1e9, registrations: 1e9 }
/** Longer than any outage of a server: a request ends with its reply or with its connection. */
const REQUEST_TIMEOUT_MS = 120_000

export interface ServerProcessOptions extends RunOptions {
  /** Limits of the server; its rates are lifted unless set here. */
  readonly limits?: Readonly<Record<string, number>>
  /** More arguments of `chatctl serve`. */
  readonly args?: readonly string[]
}

/** A server in its own process, which can be killed and restarted on the same data folder. */
export interface ServerProcess extends ServerHandle {
  readonly shell: Shell
  readonly pid: number
  /** URL of its HTTP listener, with `--http`. */
  readonly http: string
  /** Starts it again, on another port. */
  start(options?: RunOptions): Promise<void>
  /** Sends a signal and waits for the end; returns its output and exit code. */
  stop(signal?: NodeJS.Signals): Promise<Ended>
  /** Waits for the end. */
  ended(): Promise<Ended>
}

/** Starts `chatctl serve` in a temporary folder, on the kind of database under test. It is killed when the test ends. */
export async function startServerProcess(
  t: ExecutionContext,
  { limits, args = [], env, ...run }: ServerProcessOptions = {},
): Promise<ServerProcess> {
  const database = process.env.TEST_DATABASE && (await newDatabase(process.env.TEST_DATABASE))
  if (database) t.teardown(database.drop)
  const shell = await openShell(t)
  const data = join(shell.folder, 'room')
  const control = join(data, 'control.sock')
  const environment = {
    ...(database && { CHATCTL_DB: database.url }),
    ...env,
    CHATCTL_LIMITS: JSON.stringify({ ...NO_RATES, ...limits }),
  }
  let server = await shell.serve(args, { ...run, env: environment })
  const where = () => ({ address: server.server, control })
  const { connect, operator, user } = new Clients(t, where, { timeout: REQUEST_TIMEOUT_MS })
  return {
    shell,
    data,
    control,
    get host() {
      return String(server.listening.host)
    },
    get port() {
      return Number(server.listening.port)
    },
    get address() {
      return server.server
    },
    get http() {
      return String(server.listening.http)
    },
    get pid() {
      return Number(server.listening.pid)
    },
    async start(options) {
      server = await shell.serve(args, { ...run, ...options, env: { ...environment, ...options?.env } })
    },
    stop: (signal) => server.stop(signal),
    ended: () => server.done,
    connect,
    operator,
    user,
  }
}

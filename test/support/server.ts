import type { ExecutionContext } from 'ava'
import pino from 'pino'
import { type OpenServerOptions, openServer } from '../../cli/server/assembly.ts'
import { dataPaths } from '../../cli/server/paths.ts'
import type { Server } from '../../core/index.ts'
import { Clients, ITERATIONS, type ServerHandle } from './clients.ts'
import { newDatabase } from './databases/mariadb.ts'
import { tempFolder } from './temp-folder.ts'

/** Databases on `TEST_DATABASE` by data folder: a server restarted on its folder finds its data. */
const databases = new Map<string, string>()

async function databaseOf(t: ExecutionContext, data: string): Promise<string | undefined> {
  const server = process.env.TEST_DATABASE
  if (server === undefined || databases.has(data)) return databases.get(data)
  const { url, drop } = await newDatabase(server)
  databases.set(data, url)
  t.teardown(drop)
  return url
}

/** A server in the test's process, with a data folder. */
export interface LocalServer extends ServerHandle {
  readonly server: Server
  /** URL of the database, undefined for SQLite. */
  readonly db: string | undefined
  /** Resolves when the server has to stop, see ServerHandle of the assembly. */
  readonly lost: Promise<Error>
  /** Stops the server and closes the database. */
  close(): Promise<void>
}

/**
 * Starts a server as `chatctl serve` does, in the test's process, on a port chosen by the kernel. It is stopped when the
 * test ends. For tests of restarts, sockets and databases; others use `testServer` of the test kit.
 */
export async function startLocalServer(
  t: ExecutionContext,
  { pluginOptions, ...options }: Partial<OpenServerOptions> & { port?: number } = {},
): Promise<LocalServer> {
  const data = options.data ?? (await tempFolder(t))
  const db = options.db ?? (await databaseOf(t, data))
  const opened = await openServer({
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
    ...options,
    limits: options.limits === 'off' ? 'off' : { registrations: 10_000, ...options.limits },
    // Anyone may write to anyone: most tests are not about friends.
    pluginOptions: {
      registration: { iterations: ITERATIONS, minPassword: 1 },
      ...(options.without?.includes('friends') ? {} : { friends: { messagesFrom: 'anyone' } }),
      ...pluginOptions,
    },
    data,
    db,
  })
  t.teardown(() => opened.close())
  const { host, port } = await opened.server.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  const { control } = dataPaths(data)
  await opened.server.listenControl(control)
  const where = { data, host, port, address: `${host}:${port}`, control }
  const { connect, operator, user } = new Clients(t, () => where)
  return {
    ...where,
    db,
    server: opened.server,
    lost: opened.lost,
    close: () => opened.close(),
    connect,
    operator,
    user,
  }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import pino from 'pino'
import { type OpenServerOptions, openServer } from '../../cli/server/assembly.ts'
import { dataPaths } from '../../cli/server/paths.ts'
import { type Client, type ConnectOptions, connect } from '../../client/index.ts'
import { newDatabase } from './mariadb.ts'

/** Fewer PBKDF2 iterations than a real server: plays log in often. */
const ITERATIONS = 4096

/** A folder of the test's own, gone when it ends. */
export async function tempFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/**
 * The databases of data folders, while the plays run on a server of `TEST_DATABASE`: a stage that is opened again on the
 * same folder finds what it left.
 */
const databases = new Map<string, string>()

async function databaseOf(t: ExecutionContext, data: string): Promise<string | undefined> {
  const server = process.env.TEST_DATABASE
  if (server === undefined || databases.has(data)) return databases.get(data)
  const { url, drop } = await newDatabase(server)
  databases.set(data, url)
  t.teardown(drop)
  return url
}

export interface Stage {
  readonly data: string
  /** URL of the database, undefined for SQLite. */
  readonly db: string | undefined
  readonly host: string
  readonly port: number
  readonly control: string
  readonly address: string
  readonly room: Awaited<ReturnType<typeof openServer>>
  /** Connects without logging in. */
  connect(options?: Partial<ConnectOptions>): Promise<Client>
  /** Registers a user (password `NAME's password`) if need be, and logs in. */
  user(name: string, options?: Partial<ConnectOptions>): Promise<Client>
}

/** A server over the real stack, on a port of the kernel's choice; stopped when the test ends. */
export async function openStage(
  t: ExecutionContext,
  { pluginOptions, ...options }: Partial<OpenServerOptions> & { port?: number } = {},
): Promise<Stage> {
  const data = options.data ?? (await tempFolder(t))
  const db = options.db ?? (await databaseOf(t, data))
  const room = await openServer({
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
    ...options,
    limits: options.limits === 'off' ? 'off' : { registrations: 10_000, ...options.limits },
    // Most plays are not about friendship: anyone may write to anyone in them.
    pluginOptions: {
      registration: { iterations: ITERATIONS, minPassword: 1 },
      ...(options.without?.includes('friends') ? {} : { friends: { messagesFrom: 'anyone' } }),
      ...pluginOptions,
    },
    data,
    db,
  })
  t.teardown(() => room.close())
  const { host, port } = await room.server.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  const { control } = dataPaths(data)
  await room.server.listenControl(control)
  const enter = async (how: Partial<ConnectOptions> = {}) => {
    const client = await connect({ server: `${host}:${port}`, reconnect: false, leastIterations: ITERATIONS, ...how })
    t.teardown(() => client.close())
    return client
  }
  return {
    data,
    db,
    host,
    port,
    control,
    address: `${host}:${port}`,
    room,
    connect: enter,
    async user(name, how) {
      const client = await enter(how)
      const password = `${name}'s password`
      await client.register(name, password).catch((error) => {
        if (error.failure !== 'username_taken') throw error
      })
      await client.login(name, { password })
      return client
    },
  }
}

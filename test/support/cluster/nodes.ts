import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import pino from 'pino'
import type { OpenServerOptions } from '../../../cli/server/assembly.ts'
import { openServerDatabase } from '../../../cli/server/database.ts'
import { dataPaths } from '../../../cli/server/paths.ts'
import { isDatabaseUrl } from '../../../db/index.ts'
import { assemble, pluginMigrations } from '../../../plugins/assembly.ts'
import { newDatabase } from '../databases/mariadb.ts'
import { type LocalServer, startLocalServer } from '../server.ts'
import { tempFolder } from '../temp-folder.ts'
import { Bus, type BusNode } from './bus.ts'

/** A server of a cluster, and what it sees of the others. */
export interface Node extends LocalServer {
  readonly bus: BusNode
}

/** Starts servers on one database and with one key, which a bus in this process connects. */
export async function startNodes(
  t: ExecutionContext,
  count: number,
  options: Partial<OpenServerOptions> = {},
): Promise<Node[]> {
  const db = await sharedDatabase(t)
  const bus = new Bus()
  const nodes: Node[] = []
  for (let n = 0; n < count; n++) {
    const data = await tempFolder(t)
    const [first] = nodes
    if (first !== undefined) await copyKeys(first.data, data)
    nodes.push(await startNode(t, bus, { ...options, data, db }))
  }
  return nodes
}

/** Starts one more node. */
export async function startNode(t: ExecutionContext, bus: Bus, options: Partial<OpenServerOptions>): Promise<Node> {
  let joined: BusNode | undefined
  const connect = async ({ node }: { node: number }) => {
    joined = bus.join(node)
    return joined
  }
  const database = await sharedConnection(t, options)
  const cluster = { name: `node-${bus.size + 1}`, connect }
  const server = await startLocalServer(t, { ...options, database, cluster })
  if (joined === undefined) throw new Error('the server has not joined')
  return { ...server, bus: joined }
}

export async function sharedDatabase(t: ExecutionContext): Promise<string> {
  const server = process.env.TEST_DATABASE
  if (server === undefined) return join(await tempFolder(t), 'chat.db')
  const { url, drop } = await newDatabase(server)
  t.teardown(drop)
  return url
}

/** Open SQLite databases, by file. */
const opened = new Map<string, Knex>()

/** One connection to a SQLite file for all nodes: of two that wait for each other in one thread neither goes on. */
export async function sharedConnection(
  t: ExecutionContext,
  options: Partial<OpenServerOptions>,
): Promise<OpenServerOptions['database']> {
  const { db: file } = options
  if (file === undefined || isDatabaseUrl(file)) return undefined
  const known = opened.get(file)
  if (known !== undefined) return { db: known, isNew: false }
  const migrations = pluginMigrations(assemble(options))
  const database = await openServerDatabase(file, { migrations, log: pino({ level: 'silent' }), migrate: false })
  opened.set(file, database.db)
  t.teardown(async () => {
    opened.delete(file)
    await database.db.destroy()
  })
  return database
}

export async function copyKeys(from: string, to: string) {
  const [source, target] = [dataPaths(from), dataPaths(to)]
  await copyFile(source.key, target.key)
  await copyFile(source.secret, target.secret)
}

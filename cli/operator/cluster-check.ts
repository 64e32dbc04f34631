import { readConfig } from '../config/server-config.ts'
import type { Shared } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import type { NatsServer } from '../server/cluster/nats-settings.ts'
import { dataPaths } from '../server/paths.ts'
import { type Finding, finding } from './doctor-checks.ts'

/** Longest wait in milliseconds for a message that a server of NATS is to bring back. */
const ROUND_TRIP_MS = 2000
/** Within what nodes may say. */
const SUBJECT = 'chatctl.doctor'

/** What only the nodes of a cluster need; nothing for a server without `--cluster`. */
export async function checkCluster({ data, config: file }: Pick<Shared, 'data' | 'config'>): Promise<Finding[]> {
  const { config } = await readConfig({ data, config: file })
  if (config.cluster.length === 0) return []
  return [await checkSharing(config.db || dataPaths(data).database), ...(await checkNats(config.cluster))]
}

async function checkSharing(where: string): Promise<Finding> {
  const { checkShareable } = await import('../../db/index.ts')
  try {
    await checkShareable(where)
    return finding('cluster', 'ok', 'the database shows only what is on disk')
  } catch (error) {
    return finding('cluster', 'failed', (error as Error).message)
  }
}

/** A server that cannot be entered is a warning as long as nodes can enter another one. */
async function checkNats(urls: readonly string[]): Promise<Finding[]> {
  const { natsServers } = await import('../server/cluster/nats-settings.ts')
  let servers: readonly NatsServer[]
  try {
    servers = natsServers(urls)
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    return [finding('NATS', 'failed', error.hint === undefined ? error.message : `${error.message}: ${error.hint}`)]
  }
  const faults = await Promise.all(servers.map(faultOf))
  const state = faults.includes(undefined) ? 'warning' : 'failed'
  return servers.map(({ address }, index) => {
    const fault = faults[index]
    return finding(`NATS ${address}`, fault === undefined ? 'ok' : state, fault ?? 'takes and brings messages')
  })
}

/** Why nodes cannot use a server of NATS; undefined if they can. */
async function faultOf(server: NatsServer): Promise<string | undefined> {
  const { dialNats } = await import('../server/cluster/nats-link.ts')
  try {
    const connection = await dialNats(server, { name: 'chatctl doctor' })
    try {
      const subscription = connection.subscribe(SUBJECT, { max: 1, timeout: ROUND_TRIP_MS })
      connection.publish(SUBJECT)
      for await (const _message of subscription) return undefined
      return 'has closed the connection'
    } finally {
      await connection.close()
    }
  } catch (error) {
    return adviceFor(error as Error)
  }
}

/** By the name of an error of NATS. */
const ADVICE: Readonly<Record<string, string>> = {
  AuthorizationError: 'check the user and password, token, nkey or creds of its URL',
  PermissionViolationError: 'let nodes publish and subscribe to chatctl.>',
  ConnectionError: 'start it, or correct its URL',
}

function adviceFor({ name, message }: Error): string {
  if (name === 'TimeoutError') return 'does not answer within 2 s, or lets this user publish nothing to chatctl.>'
  const advice = ADVICE[name]
  return advice === undefined ? message : `${message}: ${advice}`
}

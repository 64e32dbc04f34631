import { hostname } from 'node:os'
import { checkShareable } from '../../../db/index.ts'
import type { ClusterOptions } from './link.ts'
import { NatsLink } from './nats-link.ts'
import { natsServers } from './nats-settings.ts'

const MAX_NAME = 64

/**
 * How a server becomes a node, from its settings.
 * @param where URL of the database
 * @throws CliError for wrong URLs of NATS; DatabaseError for a database that servers cannot share
 */
export async function clusterOptions(
  urls: readonly string[],
  { name, where }: { name: string; where: string },
): Promise<ClusterOptions> {
  const servers = natsServers(urls)
  await checkShareable(where)
  return { name: (name || hostname()).slice(0, MAX_NAME), connect: async (self) => new NatsLink(servers, self) }
}

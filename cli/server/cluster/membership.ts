import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { Clock } from '../../../core/index.ts'
import { Nodes } from '../../../db/index.ts'
import { version } from '../../definition/version.ts'
import type { ServerKeys } from '../keys.ts'
import { checkIdentity, checkOthers, NODE_PROTOCOL, type SharedSettings } from './identity.ts'
import type { ClusterLink, ClusterOptions } from './link.ts'
import { NodeLease } from './node-lease.ts'

interface Joining {
  readonly db: Knex
  readonly data: string
  readonly keys: ServerKeys
  readonly clock: Clock
  readonly log: Logger
  readonly room: string
  readonly settings: SharedSettings
}

/** A server's place among the nodes of its cluster. */
export class Membership {
  readonly name: string
  readonly node: number
  readonly lease: NodeLease
  readonly link: ClusterLink

  private constructor(name: string, node: number, lease: NodeLease, link: ClusterLink) {
    this.name = name
    this.node = node
    this.lease = lease
    this.link = link
  }

  /**
   * Adds the node and connects it to the others. The caller holds the lock of the database, so that nothing changes between
   * checks and joining.
   * @throws SetupError when it cannot run beside one of the others
   */
  static async join({ name, connect }: ClusterOptions, joining: Joining): Promise<Membership> {
    const { db, data, keys, clock, log, room, settings } = joining
    await checkIdentity(db, data, keys)
    const nodes = new Nodes(db, clock)
    const others = await nodes.alive()
    checkOthers(others, version(), settings)
    const joinedAt = clock.now()
    const node = await nodes.join({ name, version: version(), protocol: NODE_PROTOCOL, settings })
    const lease = new NodeLease(nodes, node, { clock, log, joinedAt, others: others.map(({ id }) => id) })
    try {
      return new Membership(name, node, lease, await connect({ node, room, others: () => lease.others, clock, log }))
    } catch (error) {
      await lease.end()
      throw error
    }
  }

  async leave() {
    await this.link.close()
    await this.lease.end()
  }
}

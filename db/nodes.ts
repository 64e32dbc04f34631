import type { Knex } from 'knex'
import { isMysql } from './migrations/tables.ts'
import { transact } from './transaction.ts'

/** Milliseconds for which a node is alive after its last renewal. */
export const LEASE_MS = 10_000

/** A server among those that use one database. */
export interface NewNode {
  readonly name: string
  /** Version of chatctl. */
  readonly version: string
  /** Version of what nodes tell each other. */
  readonly protocol: number
  /** What the node was started with. */
  readonly settings: object
}

/** A node that is alive. */
export interface NodeRow extends NewNode {
  readonly id: number
  /** What the node told with its last renewal. */
  readonly state: object
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** Milliseconds since the last renewal. */
  readonly silentFor: number
}

/** Columns, with the time of the database as `now`. */
interface StoredNode {
  readonly id: number
  readonly name: string
  readonly version: string
  readonly protocol: number
  readonly settings: string
  readonly state: string
  readonly started_at: number
  readonly until: number
  readonly now: number
}

/**
 * The nodes of a cluster, as rows with a lease. Whatever a node owns carries its id, and is free when the node is not
 * alive. Leases end by the clock of the database; of SQLite, by that of this process.
 */
export class Nodes {
  readonly #db: Knex
  readonly #clock: { time(): number }

  constructor(db: Knex, clock: { time(): number }) {
    this.#db = db
    this.#clock = clock
  }

  /** Adds a node. Its id was never used before. */
  join({ name, version, protocol, settings }: NewNode): Promise<number> {
    return transact(this.#db, async (trx) => {
      await trx('cluster').where({ id: 1 }).increment('last_node', 1)
      const { last_node } = await trx('cluster').where({ id: 1 }).first('last_node')
      const id = Number(last_node)
      const row = { id, name, version, protocol, settings: JSON.stringify(settings), state: '{}' }
      await trx('node').where('until', '<=', this.#now()).delete()
      await trx('node').insert({ ...row, started_at: this.#now(), until: this.#end() })
      return id
    })
  }

  /** Prolongs the lease. @returns false when it has ended: others may have taken what the node owned */
  async renew(id: number, state: object): Promise<boolean> {
    const row = this.#db('node').where({ id }).where('until', '>', this.#now())
    return (await row.update({ until: this.#end(), state: JSON.stringify(state) })) === 1
  }

  /** Ends the lease at once. */
  async leave(id: number) {
    await this.#db('node').where({ id }).delete()
  }

  /** Ids of the nodes that are alive, as a subquery. */
  living(): Knex.QueryBuilder {
    return this.#db('node').where('until', '>', this.#now()).select('id')
  }

  /** @param but a node that is left out */
  async livingIds(but: number): Promise<number[]> {
    const ids = await this.living().whereNot({ id: but }).orderBy('id').pluck('id')
    return ids.map(Number)
  }

  async isAlive(id: number): Promise<boolean> {
    return (await this.living().where({ id }).first()) !== undefined
  }

  /** The nodes that are alive, oldest first. */
  async alive(): Promise<NodeRow[]> {
    const rows: StoredNode[] = await this.living()
      .orderBy('id')
      .select('name', 'version', 'protocol', 'settings', 'state', 'started_at', 'until', { now: this.#now() })
    return rows.map(({ id, name, version, protocol, settings, state, started_at, until, now }) => ({
      id: Number(id),
      name,
      version,
      protocol,
      settings: JSON.parse(settings),
      state: JSON.parse(state),
      startedAt: Number(started_at),
      silentFor: Math.max(0, LEASE_MS - (Number(until) - Number(now))),
    }))
  }

  #now(): Knex.Raw {
    const sql = isMysql(this.#db) ? 'floor(unix_timestamp(now(3)) * 1000)' : String(Math.floor(this.#clock.time()))
    return this.#db.raw(sql)
  }

  #end(): Knex.Raw {
    return this.#db.raw('? + ?', [this.#now(), LEASE_MS])
  }
}

/** Names of the living nodes of a cluster; none for a database without the table of nodes. */
export async function livingNodes(db: Knex, clock: { time(): number }): Promise<string[]> {
  if (!(await db.schema.hasTable('node'))) return []
  return (await new Nodes(db, clock).alive()).map(({ name }) => name)
}

/** What all nodes of a cluster have alike. */
export interface ClusterIdentity {
  /** Of the server key. */
  readonly fingerprint: string
  /** A MAC with the secret as its key. */
  readonly secretMac: string
}

/** Undefined before the first node has joined. */
export async function clusterIdentity(db: Knex): Promise<ClusterIdentity | undefined> {
  const row = await db('cluster').where({ id: 1 }).whereNotNull('fingerprint').first('fingerprint', 'secret_mac')
  return row && { fingerprint: row.fingerprint, secretMac: row.secret_mac }
}

export async function setClusterIdentity(db: Knex, identity: ClusterIdentity): Promise<ClusterIdentity> {
  const { fingerprint, secretMac } = identity
  await db('cluster').where({ id: 1 }).update({ fingerprint, secret_mac: secretMac })
  return identity
}

import { createHmac } from 'node:crypto'
import type { Knex } from 'knex'
import { SetupError } from '../../../core/index.ts'
import { fingerprint } from '../../../core/noise/index.ts'
import { clusterIdentity, type NodeRow, setClusterIdentity } from '../../../db/index.ts'
import { type ServerKeys, serverFingerprint } from '../keys.ts'
import { dataPaths } from '../paths.ts'

/** Version of what nodes tell each other. Nodes with different ones do not run at once. */
export const NODE_PROTOCOL = 1

/** What all nodes must be started with. */
export interface SharedSettings {
  /** Options of plugins, by plugin. */
  readonly options: Readonly<Record<string, unknown>>
  /** Where the files are. */
  readonly files: string
}

const copyAdvice = (data: string) => {
  const { key, secret } = dataPaths(data)
  return `copy server.key and server.secret from the data folder of another node to ${key} and ${secret}, with mode 0600`
}

/** A node that made keys of its own would be another server for clients. @throws SetupError when there are none */
export async function requireKeys(db: Knex, data: string) {
  if ((await clusterIdentity(db)) !== undefined && (await serverFingerprint(dataPaths(data))) === undefined)
    throw new SetupError(`this node has no key of the cluster yet: ${copyAdvice(data)}`)
}

/** Compares key and secret with those of the cluster; the first node's become these. @throws SetupError when they differ */
export async function checkIdentity(db: Knex, data: string, { staticKey, secret }: ServerKeys) {
  const own = {
    fingerprint: fingerprint(staticKey.publicKey),
    secretMac: createHmac('sha256', secret).update('chatctl cluster').digest('hex'),
  }
  const known = (await clusterIdentity(db)) ?? (await setClusterIdentity(db, own))
  if (known.fingerprint !== own.fingerprint)
    throw new SetupError(
      `the cluster has the server key ${known.fingerprint}, this node ${own.fingerprint}: ${copyAdvice(data)}`,
    )
  if (known.secretMac !== own.secretMac)
    throw new SetupError(`the secret of this node is not that of the cluster: ${copyAdvice(data)}`)
}

/** @throws SetupError when the node cannot run beside one of the others */
export function checkOthers(others: readonly NodeRow[], version: string, { options, files }: SharedSettings) {
  for (const other of others) {
    if (other.protocol !== NODE_PROTOCOL)
      throw new SetupError(
        `node ${other.name} runs chatctl ${other.version}, beside which ${version} cannot run: stop all nodes, then start ` +
          'them with one version',
      )
    const theirs = other.settings as SharedSettings
    if (theirs.files !== files)
      throw new SetupError(
        `node ${other.name} has its files in ${theirs.files}, this one in ${files}: give all nodes the same --files`,
      )
    const plugins = new Set([...Object.keys(options), ...Object.keys(theirs.options)])
    const [differing] = [...plugins].filter((name) => canonical(options[name]) !== canonical(theirs.options[name]))
    if (differing !== undefined)
      throw new SetupError(
        `the options of the plugin ${differing} differ from those of node ${other.name}: give all nodes the same ones; ` +
          'to change them, stop all nodes first',
      )
  }
}

/** JSON with sorted keys: the order in a config file does not matter. */
const canonical = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  )

import { SYSTEM_CLOCK } from '../../core/clock.ts'
import type { NodeRow, Owned } from '../../db/index.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import type { ExitName } from '../errors/exit.ts'
import { DATABASE_OPTIONS, withDatabase } from '../operator/database.ts'
import type { NodeState } from '../server/cluster/node-state.ts'

/** A node as `chatctl cluster status` shows it. */
interface ShownNode extends Omit<NodeState, 'isStopping'>, Owned {
  readonly id: number
  readonly name: string
  readonly version: string
  readonly state: 'running' | 'stopping' | 'silent'
  /** Milliseconds since the last renewal. */
  readonly silentFor: number
  /** Milliseconds until the other nodes take it for dead. */
  readonly lease: number
  /** Numbers of the log that the node had not followed at its last renewal, and those since. */
  readonly behind?: number
}

const status = defineCommand({
  command: 'status',
  describe: 'Show the living nodes of a cluster, as the database knows them; no server need run on this machine',
  examples: [
    ['CHATCTL_DB=mysql://… $0 cluster status', 'from any machine that reaches the database'],
    ['$0 cluster status --config chatctl.yaml -o json', 'for programs; exit 3 when no node is alive'],
  ],
  builder: (args) =>
    args.options({ config: DATABASE_OPTIONS.config, data: DATABASE_OPTIONS.data, db: DATABASE_OPTIONS.db }),
  async run(flags, { output }): Promise<ExitName> {
    const { headOf, LEASE_MS, Nodes, ownedByNodes } = await import('../../db/index.ts')
    const { nodes, head, owned } = await withDatabase(flags, { exclusive: false }, async ({ db }) => ({
      nodes: await new Nodes(db, SYSTEM_CLOCK).alive(),
      head: await headOf(db),
      owned: await ownedByNodes(db),
    }))
    const shown = nodes.map((node) => shownNode(node, { head, leaseMs: LEASE_MS, owned: owned.get(node.id) }))
    await output.list(shown, [
      { title: 'node', value: ({ id, name }) => `${name} (${id})` },
      { title: 'version', value: ({ version }) => version },
      { title: 'state', value: ({ state }) => state },
      { title: 'seen', value: ({ silentFor }) => `${(silentFor / 1000).toFixed(1)} s ago` },
      { title: 'lease', value: ({ lease }) => `${(lease / 1000).toFixed(1)} s` },
      { title: 'behind', value: ({ behind }) => behind ?? '-' },
      { title: 'users', value: ({ users }) => users },
      { title: 'connections', value: ({ connections }) => connections },
      { title: 'consumers', value: ({ consumers }) => consumers ?? '-' },
      { title: 'hooks', value: ({ hooks }) => hooks },
      { title: 'sending', value: ({ sending }) => sending },
      { title: 'NATS', value: ({ nats }) => nats ?? '-' },
      { title: 'database', value: ({ endpoint }) => endpoint ?? '-' },
    ])
    if (nodes.length > 0) return 'ok'
    output.note('no node is alive: start them with `chatctl serve --cluster`')
    return 'unreachable'
  },
})

/** A node that has missed more than one renewal is paused, cut off, or dead. */
const SILENT_MS = 5000

function shownNode(
  { id, name, version, silentFor, state }: NodeRow,
  { head, leaseMs, owned }: { head: number; leaseMs: number; owned: Owned | undefined },
): ShownNode {
  // Before its first renewal a node has told nothing.
  const { isStopping = false, ...told } = state as Partial<NodeState>
  const condition = isStopping ? 'stopping' : 'running'
  return {
    id,
    name,
    version,
    state: silentFor > SILENT_MS ? 'silent' : condition,
    silentFor,
    lease: leaseMs - silentFor,
    connections: 0,
    users: 0,
    hooks: 0,
    sending: 0,
    ...owned,
    ...told,
    ...(told.seen !== undefined && { behind: Math.max(0, head - told.seen) }),
  }
}

export const cluster = defineGroup(
  'cluster',
  'The nodes that use one database',
  [['CHATCTL_DB=mysql://… $0 cluster status', 'which nodes there are, and how they do']],
  [status],
)

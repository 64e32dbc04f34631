import type { Client } from '../../client/index.ts'
import { asOperator } from '../client/sessions.ts'
import { defineCommand } from '../definition/command.ts'
import { SERVER_FOLDER } from '../definition/options.ts'
import type { ExitName } from '../errors/exit.ts'
import { refusalOf } from '../errors/refusal.ts'
import type { Column } from '../output/output.ts'

/** No account comes after it. */
const LAST_ID = 0xffffffff

interface Status extends Record<string, unknown> {
  readonly database: DatabaseState
  readonly plugins: readonly { name: string; state: string; reason: string }[]
  readonly cluster?: ClusterStatus
}

interface ClusterStatus {
  /** The one that answers. */
  readonly node: number
  readonly nodes: readonly { readonly node: number; readonly users: number; readonly connections: number }[]
  /** Nodes that did not answer. */
  readonly silent: readonly number[]
}

/** Labels and units of values in a table; others are shown as they are. */
const LABELS: Readonly<Record<string, readonly [label: string, shown?: (value: number) => string]>> = {
  uptime: ['running for', span],
  pid: ['process'],
  fingerprint: ['server key'],
  connections: ['connections'],
  users: ['users here'],
  memory: ['memory', (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`],
  node: ['node'],
  nodes: ['nodes of the cluster'],
  nats: ['NATS'],
  endpoint: ['database server'],
  seen: ['log followed up to'],
  http: ['in the browser'],
  httpConnections: ['HTTP connections'],
  httpRequests: ['HTTP requests'],
  webSockets: ['WebSockets'],
  legacy: ['original clients'],
  legacyConnections: ['connections of original clients'],
  legacyLogins: ['logins of original clients'],
}

export const status = defineCommand({
  command: 'status',
  describe: 'Show the state of a running server and of its database',
  examples: [
    ['$0 status --data ./room', 'with units'],
    [
      '$0 status --data ./room -o json',
      'for programs: seconds, bytes; exit 3 when none runs there, or its database does not answer',
    ],
    ['$0 status --data ./room -o plain | grep ^users', 'a name and a value a line'],
  ],
  builder: (args) => args.options(SERVER_FOLDER),
  async run(_args, shared): Promise<ExitName> {
    const { output } = shared
    const { QueryStatus } = await import('../../core/wire/index.ts')
    const found = await asOperator(shared, async (client): Promise<Status> => {
      const { plugins, ...status } = JSON.parse((await client.request(QueryStatus, {})).json)
      return { ...status, database: await databaseState(client), plugins }
    })
    if (output.isPlain) await output.list(rowsOf(found), [{ title: 'name', value: ({ name }) => name }, VALUE])
    else await output.item(found, columnsOf(found))
    if (found.database !== 'unavailable') return 'ok'
    output.note('the database does not answer: see the server’s log, and `chatctl doctor` with the same settings')
    return 'unreachable'
  },
})

type DatabaseState = 'ok' | 'unavailable' | 'unknown'

/** Asks for something that only the database knows. `unknown` where the plugin `admin` is left out. */
async function databaseState(client: Client): Promise<DatabaseState> {
  const { QueryUsers } = await import('../../plugins/admin/messages.ts')
  try {
    await client.request(QueryUsers, { after: LAST_ID })
    return 'ok'
  } catch (error) {
    const failure = refusalOf(error)?.failure
    if (failure === 'unavailable' || (error as { code?: string }).code === 'timed_out') return 'unavailable'
    if (failure === 'unknown_type') return 'unknown'
    throw error
  }
}

interface Row {
  readonly name: string
  readonly value: string
}

const VALUE: Column<Row> = { title: 'value', value: ({ value }) => value }

/** Plugins that are not ok as `plugin NAME`, with what is wrong. */
function rowsOf({ plugins, cluster, ...values }: Status): Row[] {
  const troubled = plugins.filter(({ state }) => state !== 'ok')
  return [
    ...Object.entries(values).map(([name, value]) => ({ name, value: String(value) })),
    ...(cluster === undefined ? [] : [{ name: 'cluster', value: nodesOf(cluster) }]),
    { name: 'plugins', value: String(plugins.length) },
    ...troubled.map(({ name, state, reason }) => ({ name: `plugin ${name}`, value: `${state}: ${reason}` })),
  ]
}

function columnsOf({ plugins: _plugins, cluster, ...status }: Status): Column<Status>[] {
  const values = Object.entries(status)
  return [
    ...values.map(([name, value]) => {
      const [label = name, shown] = LABELS[name] ?? []
      const text = typeof value === 'number' && shown !== undefined ? shown(value) : String(value)
      return { title: label, value: () => text }
    }),
    ...(cluster === undefined ? [] : [{ title: 'cluster', value: () => nodesOf(cluster) }]),
    { title: 'plugins', value: ({ plugins }) => plugins.map(toWords).join(', ') },
  ]
}

/** `node 1, this one: 5 users, 6 connections; node 2 does not answer` */
const nodesOf = ({ node: own, nodes, silent }: ClusterStatus) =>
  [
    ...nodes.map(({ node, users, connections }) => {
      return `node ${node}${node === own ? ', this one' : ''}: ${users} users, ${connections} connections`
    }),
    ...silent.map((node) => `node ${node} does not answer`),
  ].join('; ')

const toWords = ({ name, state, reason }: Status['plugins'][number]) =>
  state === 'ok' ? name : `${name} (${state}: ${reason})`

/** `3 d 4 h 5 min 6 s`, from the largest unit that there is on. */
function span(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  return parts
    .slice(first === -1 ? 3 : first)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

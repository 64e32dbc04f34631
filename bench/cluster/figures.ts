import type { Column } from '../../cli/output/output.ts'
import { RESULT_COLUMNS } from '../load/index.ts'
import type { Cpu, Setup, TrialResult } from './trial.ts'

/** Row of the table of a cluster: medians of the rounds of one setup and shape. */
export interface ClusterRow extends TrialResult {
  readonly database: string
  readonly setup: Setup
  /** Lowest and highest rate of the rounds. */
  readonly range: readonly [number, number]
}

/** The median of each figure. What is counted is added up. */
export function merged(setup: Setup, database: string, rounds: readonly TrialResult[]): ClusterRow {
  const [first] = rounds
  if (first === undefined) throw new Error('nothing was measured')
  const of = (figure: (round: TrialResult) => number | undefined) => median(rounds.map((round) => figure(round) ?? 0))
  const sum = (figure: (round: TrialResult) => number | undefined) =>
    rounds.reduce((total, round) => total + (figure(round) ?? 0), 0)
  const rates = rounds.map(({ perSecond }) => perSecond)
  return {
    ...first,
    setup,
    database,
    count: sum(({ count }) => count),
    seconds: sum(({ seconds }) => seconds),
    perSecond: median(rates),
    range: [Math.min(...rates), Math.max(...rates)],
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    cpu: {
      servers: first.cpu.servers.map((_, index) => of(({ cpu }) => cpu.servers[index])),
      database: first.cpu.database.map((_, index) => of(({ cpu }) => cpu.database[index])),
      nats: of(({ cpu }) => cpu.nats),
    },
    acknowledged: sum(({ acknowledged }) => acknowledged),
    ...(first.stored !== undefined && { stored: sum(({ stored }) => stored) }),
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
const all = ({ servers, database, nats }: Cpu) => total(servers) + total(database) + nats

/** Rate at which the busiest process would take a whole core, if each process had one. */
const limitOf = ({ servers, database, nats }: Cpu) => 1000 / Math.max(...servers, ...database, nats)

const whole = (value: number) => Math.round(value).toLocaleString('en')
const list = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join(' + ')

export const clusterColumns = (rows: readonly ClusterRow[]): readonly Column<ClusterRow>[] => [
  { title: 'database', value: ({ database }) => database },
  { title: 'servers', value: ({ setup }) => setup.title },
  ...RESULT_COLUMNS.filter(({ title }) => title !== 'workload'),
  { title: 'rounds', value: ({ range, perSecond }) => (range[0] === perSecond ? '' : range.map(whole).join('–')) },
  { title: 'CPU ms each: servers', value: ({ cpu }) => list(cpu.servers) },
  { title: 'database', value: ({ cpu }) => list(cpu.database) },
  { title: 'NATS', value: ({ cpu }) => cpu.nats.toFixed(4) },
  { title: 'all', value: ({ cpu }) => all(cpu).toFixed(4) },
  { title: 'a core each /s', value: ({ cpu }) => whole(limitOf(cpu)) },
  {
    title: 'of ceiling',
    value(row) {
      const ceiling = rows.find(({ setup, shape }) => setup.kind === 'ceiling' && shape === row.shape)
      return ceiling && `${Math.round((row.perSecond / ceiling.perSecond) * 100)} %`
    },
  },
  { title: 'stored', value: ({ stored }) => stored?.toLocaleString('en') },
]

/** A figure of two setups. */
export interface Comparison {
  readonly what: string
  readonly shape: string
  readonly one: number
  readonly other: number
}

/** What `--cluster` costs on one node, and what the way to another node adds. */
export function comparisons(rows: readonly ClusterRow[]): Comparison[] {
  const found: Comparison[] = []
  for (const alone of rows.filter(({ setup }) => setup.kind === 'alone')) {
    const { shape } = alone
    const compare = (what: string, row: ClusterRow, figure: (row: ClusterRow) => number | undefined) =>
      found.push({ what, shape, one: figure(alone) ?? 0, other: figure(row) ?? 0 })
    for (const row of rows) {
      if (row.shape !== shape || row.setup.kind !== 'cluster') continue
      if (row.setup.nodes === 1) {
        compare('one node with --cluster: messages/s', row, ({ perSecond }) => perSecond)
        compare('one node with --cluster: CPU ms of it', row, ({ cpu }) => total(cpu.servers))
        compare('one node with --cluster: CPU ms, all', row, ({ cpu }) => all(cpu))
      }
      if (row.setup.pairs === 'across') compare(`${row.setup.title}: p50 ms`, row, ({ p50 }) => p50)
    }
  }
  return found
}

const figure = (value: number) => (value < 100 ? value.toFixed(4) : whole(value))

export const COMPARISON_COLUMNS: readonly Column<Comparison>[] = [
  { title: 'compared with one server without --cluster', value: ({ what }) => what },
  { title: 'shape', value: ({ shape }) => shape },
  { title: 'that', value: ({ one }) => figure(one) },
  { title: 'this', value: ({ other }) => figure(other) },
  { title: 'ratio', value: ({ one, other }) => (other / one).toFixed(2) },
]

import type { MetricFamily } from '../../core/index.ts'

/** One reading of a server's metrics. */
export class Reading {
  /** Seconds. */
  readonly at: number
  readonly #families: ReadonlyMap<string, MetricFamily>

  constructor(at: number, families: readonly MetricFamily[]) {
    this.at = at
    this.#families = new Map(families.map((family) => [family.name, family]))
  }

  /** Sum of the samples whose labels match; 0 where the server does not have the metric. */
  sum(name: string, matches: (labels: Readonly<Record<string, string>>) => boolean = () => true): number {
    const samples = this.#families.get(name)?.samples ?? []
    return samples.reduce((sum, { labels = {}, value }) => sum + (matches(labels) ? value : 0), 0)
  }

  /** The values of a label, each with its sum. */
  by(name: string, label: string): Map<string, number> {
    const sums = new Map<string, number>()
    for (const { labels = {}, value } of this.#families.get(name)?.samples ?? []) {
      const key = labels[label] ?? ''
      sums.set(key, (sums.get(key) ?? 0) + value)
    }
    return sums
  }

  /** Buckets of a histogram: upper limits, ascending, with the number of values up to them. */
  buckets(name: string): (readonly [limit: number, count: number])[] {
    const samples = this.#families.get(name)?.samples ?? []
    return samples.flatMap(({ suffix, labels, value }) =>
      suffix === 'bucket'
        ? [[labels?.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels?.le), value] as const]
        : [],
    )
  }

  part(name: string, suffix: 'sum' | 'count'): number {
    return this.#families.get(name)?.samples.find((sample) => sample.suffix === suffix)?.value ?? 0
  }
}

/** Message types listed as the busiest. */
const BUSIEST = 5
const MS = 1000

/** The load of a server between two readings. Latencies in milliseconds, null if nothing was measured. */
export function loadBetween(before: Reading, now: Reading) {
  const seconds = Math.max(now.at - before.at, Number.EPSILON)
  const grown = (name: string, matches?: (labels: Readonly<Record<string, string>>) => boolean) =>
    Math.max(0, now.sum(name, matches) - before.sum(name, matches))
  const rate = (...given: Parameters<typeof grown>) => round(grown(...given) / seconds)
  const quantile = (name: string, share: number) => quantileOf(before.buckets(name), now.buckets(name), share)
  const commits = now.part('chatctl_commit_messages', 'count') - before.part('chatctl_commit_messages', 'count')
  const pool = now.by('chatctl_database_connections', 'state')
  return {
    uptime: Math.round(now.at - now.sum('process_start_time_seconds')),
    connections: now.sum('chatctl_connections'),
    sessions: now.sum('chatctl_sessions'),
    users: now.sum('chatctl_users_online'),
    messagesPerSecond: rate('chatctl_messages_stored'),
    requestsPerSecond: rate('chatctl_requests'),
    refusedPerSecond: rate('chatctl_requests', ({ outcome }) => outcome !== 'ok'),
    storeP50: quantile('chatctl_message_store_seconds', 0.5),
    storeP99: quantile('chatctl_message_store_seconds', 0.99),
    deliveryP99: quantile('chatctl_message_delivery_seconds', 0.99),
    messagesPerCommit: commits === 0 ? null : round(grown('chatctl_messages_stored') / commits),
    messagesQueued: now.sum('chatctl_messages_queued'),
    requestsWaiting: now.sum('chatctl_requests_waiting'),
    slowConnections: now.sum('chatctl_slow_connections'),
    outboundBytes: now.sum('chatctl_outbound_queued_bytes'),
    loopDelayP99: quantile('chatctl_event_loop_delay_seconds', 0.99),
    cpuPercent: round((grown('process_cpu_seconds') / seconds) * 100),
    memory: now.sum('process_resident_memory_bytes'),
    databaseUsed: pool.get('used') ?? 0,
    databaseMax: pool.get('max') ?? 0,
    databaseWaiting: now.sum('chatctl_database_waiting'),
    consumersActive: now.sum('chatctl_consumers_active'),
    consumerEvents: now.sum('chatctl_consumer_events_in_flight'),
    consumerLag: round(now.sum('chatctl_consumer_lag_seconds')),
    pluginsDegraded: now.sum('chatctl_plugin_degraded'),
    busiest: busiest(before, now, seconds),
  }
}

export type Load = ReturnType<typeof loadBetween>

function busiest(before: Reading, now: Reading, seconds: number) {
  const earlier = before.by('chatctl_requests', 'type')
  return [...now.by('chatctl_requests', 'type')]
    .map(([type, count]) => ({ type, perSecond: round((count - (earlier.get(type) ?? 0)) / seconds) }))
    .filter(({ perSecond }) => perSecond > 0)
    .sort((a, b) => b.perSecond - a.perSecond)
    .slice(0, BUSIEST)
}

/** Milliseconds below which a share of the values between two readings lies, interpolated as Prometheus does. */
export function quantileOf(before: Buckets, now: Buckets, share: number): number | null {
  const counts = now.map(([limit, count], index) => [limit, count - (before[index]?.[1] ?? 0)] as const)
  const total = counts.at(-1)?.[1] ?? 0
  if (total === 0) return null
  const rank = share * total
  const index = counts.findIndex(([, count]) => count >= rank)
  const [low, below] = counts[index - 1] ?? [0, 0]
  const [high, upTo] = counts[index] as readonly [number, number]
  // Beyond the last limit nothing more is known.
  if (!Number.isFinite(high)) return low * MS
  return round((low + (high - low) * ((rank - below) / Math.max(1, upTo - below))) * MS)
}

type Buckets = readonly (readonly [limit: number, count: number])[]

const round = (value: number) => Math.round(value * 100) / 100

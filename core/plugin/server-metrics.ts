import type { Limits } from '../limits.ts'
import type { Sample } from '../metrics/metrics.ts'
import type { Metrics } from '../metrics/registry.ts'
import { API_VERSION } from './api-version.ts'

/** Numbers that a server keeps anyway. */
export interface ServerFigures {
  readonly connections: Iterable<{ readonly user?: unknown; readonly queued: number }>
  /** Connections since the start. */
  readonly accepted: number
  readonly refused: number
  /** Users who are online. */
  readonly users: number
  readonly requests: { readonly running: number; readonly waiting: number }
  readonly outcomes: readonly Sample[]
  readonly plugins: readonly {
    readonly plugin: { readonly name: string }
    readonly failures: number
    readonly state: { readonly state: string }
  }[]
}

/** Defines the metrics of the server itself. Everything is counted when it is read. */
export function defineServerMetrics(metrics: Metrics, limits: Limits, figures: () => ServerFigures) {
  metrics.gauge('build_info', 'versions of the plugin API and of Node; always 1', () => [
    { labels: { api: API_VERSION, node: process.versions.node }, value: 1 },
  ])
  metrics.gauge('connections', 'open connections, sessions included', () => [...figures().connections].length)
  metrics.gauge('sessions', 'connections on which a user is logged in', () => {
    return [...figures().connections].filter(({ user }) => user !== undefined).length
  })
  metrics.gauge('users_online', 'users with at least one session', () => figures().users)
  metrics.total('connections_accepted', 'connections since the start', () => figures().accepted)
  metrics.total(
    'connections_refused',
    'connections that were closed at once: no room, or too many from one address',
    () => {
      return figures().refused
    },
  )
  metrics.gauge('outbound_queued_bytes', 'output that peers have not taken yet', () =>
    [...figures().connections].reduce((sum, { queued }) => sum + queued, 0),
  )
  metrics.gauge('slow_connections', 'connections whose pushes wait, because the peer reads too slowly', () => {
    return [...figures().connections].filter(({ queued }) => queued >= limits.outboundSoft).length
  })
  metrics.total(
    'requests',
    'requests by message type and outcome: ok, or the name of the failure',
    () => figures().outcomes,
  )
  metrics.gauge('requests_running', 'queued requests that run', () => figures().requests.running)
  metrics.gauge('requests_waiting', 'requests that wait for their turn', () => figures().requests.waiting)
  metrics.total('plugin_failures', 'errors thrown by the code of plugins', () =>
    figures().plugins.map(({ plugin, failures }) => ({ labels: { plugin: plugin.name }, value: failures })),
  )
  metrics.gauge('plugin_degraded', '1 for a plugin that has failed repeatedly within a minute', () =>
    figures().plugins.map(({ plugin, state }) => ({
      labels: { plugin: plugin.name },
      value: state.state === 'degraded' ? 1 : 0,
    })),
  )
}

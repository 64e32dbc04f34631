import type { Metrics } from '../../core/index.ts'
import type { Hook } from './hook.ts'

export function defineHookMetrics(metrics: Metrics, hooks: Iterable<Hook>) {
  metrics.gauge('hooks', 'outgoing webhooks by state', () => {
    const states = { ok: 0, failing: 0, disabled: 0 }
    for (const { state } of hooks) states[state.state]++
    return Object.entries(states).map(([state, value]) => ({ labels: { state }, value }))
  })
  const sum = (count: (hook: Hook) => number) => [...hooks].reduce((total, hook) => total + count(hook), 0)
  metrics.gauge('hook_requests_running', 'requests of outgoing webhooks under way', () => sum(({ running }) => running))
  metrics.gauge('hook_events_pending', 'events of outgoing webhooks that wait for an attempt', () =>
    sum(({ pending }) => pending),
  )
  metrics.gauge('hook_events_dead', 'events that outgoing webhooks have given up', () => sum(({ dead }) => dead.count))
}

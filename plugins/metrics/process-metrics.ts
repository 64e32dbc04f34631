import { performance } from 'node:perf_hooks'
import type { MetricFamily } from '../../core/index.ts'

const family = (name: string, type: 'counter' | 'gauge', about: string, value: number): MetricFamily => ({
  name,
  type,
  about,
  samples: [{ value }],
})

/** The process, under the names that Prometheus clients of all languages use. */
export function processMetrics(): MetricFamily[] {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  const { active } = performance.eventLoopUtilization()
  return [
    family('process_cpu_seconds', 'counter', 'processor time of all threads', (user + system) / 1e6),
    family('process_resident_memory_bytes', 'gauge', 'memory of the process', rss),
    family('process_start_time_seconds', 'gauge', 'start of the process, since 1970', performance.timeOrigin / 1000),
    family('nodejs_heap_size_used_bytes', 'gauge', 'heap in use', heapUsed),
    family('nodejs_heap_size_total_bytes', 'gauge', 'heap', heapTotal),
    family('nodejs_external_memory_bytes', 'gauge', 'memory outside of the heap that objects hold', external),
    family('nodejs_eventloop_active_seconds', 'counter', 'time in which the event loop was busy', active / 1000),
  ]
}

import { type Metric, type OpenMetricsContentType, Registry } from 'prom-client'
import type { MetricFamily } from '../../core/index.ts'

/** Metrics as text. */
export interface Exposition {
  /** Its content type. */
  readonly type: string
  readonly text: string
}

/** The metrics in the OpenMetrics format. */
export async function toOpenMetrics(families: readonly MetricFamily[]): Promise<Exposition> {
  const type = Registry.OPENMETRICS_CONTENT_TYPE
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(type)
  for (const { name, about, samples, ...family } of families) {
    const values = samples.map(({ labels = {}, value, suffix }) => ({
      labels,
      value,
      ...(suffix !== undefined && { metricName: `${name}_${suffix}` }),
    }))
    // The registry needs only a name and `get`; a metric of its own would count a second time.
    const metric = { name, get: async () => ({ name, help: about, type: family.type, values, aggregator: 'sum' }) }
    registry.registerMetric(metric as unknown as Metric)
  }
  return { type, text: await registry.metrics() }
}

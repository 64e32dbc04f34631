import { z } from 'zod'
import { definePlugin, isLoopback } from '../../core/index.ts'
import { poolOf } from '../../db/index.ts'
import { tokens } from '../tokens/index.ts'
import { type Exposition, toOpenMetrics } from './exposition.ts'
import { listenForScrapes } from './listener.ts'
import { LoopDelay } from './loop-delay.ts'
import * as messages from './messages.ts'
import { processMetrics } from './process-metrics.ts'
import { serveMetrics } from './route.ts'

/** Exports the metrics that the server and its plugins define with `app.metrics`; see docs/METRICS.md. */
export const metrics = definePlugin({
  name: 'metrics',
  messages,
  needs: { tokens },
  options: z
    .strictObject({
      /** Where `/metrics` is served; nowhere if left out. */
      listen: z.strictObject({ host: z.string().min(1), port: z.number().int().min(0).max(65_535) }).optional(),
    })
    .default({}),
  async setup(app, { options: { listen }, needs, log, db }) {
    const delay = new LoopDelay()
    delay.start()
    app.onStop(() => delay.stop())
    app.metrics.histogramOf('event_loop_delay_seconds', 'delay of the event loop, measured 50 times a second', () =>
      delay.samples(),
    )
    app.metrics.gauge('database_connections', 'connections of the pool by state; max is the limit', () => {
      const { used, free, max } = poolOf(db)
      return Object.entries({ used, free, max }).map(([state, value]) => ({ labels: { state }, value }))
    })
    app.metrics.gauge('database_waiting', 'statements that wait for a connection', () => poolOf(db).waiting)

    const collect = async () => [...(await app.metrics.collect()), ...processMetrics()]
    app.handle(messages.QueryMetrics, async () => ({ json: JSON.stringify(await collect()) }))

    let reading: Promise<Exposition> | undefined
    /** Scrapes at the same time share one reading. */
    const read = () => {
      reading ??= collect()
        .then(toOpenMetrics)
        .finally(() => {
          reading = undefined
        })
      return reading
    }
    serveMetrics(app, needs.tokens, read)
    if (listen === undefined) return
    const onError = (error: unknown) => log.error({ err: error }, 'cannot serve the metrics')
    const listener = await listenForScrapes(listen, { read, onError })
    app.onStop(() => listener.close())
    app.status(() => ({ metrics: listener.url }))
    if (!isLoopback(listener.host))
      log.warn({ url: listener.url }, 'the metrics are open to everyone who can reach this address')
  },
})

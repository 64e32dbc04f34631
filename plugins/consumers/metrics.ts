import { isUnavailable, sendTimeOf } from '../../db/index.ts'
import type { Parts } from './parts.ts'

/** Lag of the consumers that sessions hold. Their events in flight say it all: no more are pushed before they are handled. */
export function defineConsumerMetrics({ app, db, store }: Parts) {
  app.metrics.gauge('consumers_active', 'durable consumers that a session holds', () => store.active.length)
  app.metrics.gauge('consumer_events_in_flight', 'events pushed to active consumers and not acknowledged', () =>
    store.active.reduce((sum, { inFlight }) => sum + inFlight, 0),
  )
  app.metrics.gauge(
    'consumer_lag_seconds',
    'age of the oldest event that was pushed to an active consumer and is not acknowledged; 0 if there is none',
    async () => {
      const oldest = Math.min(...store.active.map(({ oldestInFlight }) => oldestInFlight))
      if (!Number.isFinite(oldest)) return 0
      try {
        const sentAt = await sendTimeOf(db, oldest)
        return sentAt === undefined ? 0 : Math.max(0, app.clock.time() - sentAt) / 1000
      } catch (error) {
        // Not known now; the metrics of the database say why.
        if (isUnavailable(error)) return undefined
        throw error
      }
    },
  )
}

import type { Metrics } from '../../core/index.ts'
import type { MessageWriter, OnCommit } from '../../db/index.ts'
import type { Deliveries } from './deliveries.ts'

/** Seconds: from a commit of an idle server to one on a disk that fails. */
const LATENCIES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const BATCHES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

/** Metrics of commits; counted once for each commit, because each message would cost too much. */
export function commitMetrics(metrics: Metrics): OnCommit {
  const messages = metrics.counter('messages_stored', 'messages committed, repeats included')
  const batches = metrics.histogram('commit_messages', 'messages in one commit', BATCHES)
  const stores = metrics.histogram(
    'message_store_seconds',
    'time from the queueing of the first message of a commit to its end, for each of its messages',
    LATENCIES,
  )
  const deliveries = metrics.histogram(
    'message_delivery_seconds',
    'time from the queueing of the first message of a commit until all were pushed to those who listen, for each message',
    LATENCIES,
  )
  return (count, storeMs, doneMs) => {
    messages.add(count)
    batches.observe(count)
    stores.observe(storeMs / 1000, count)
    deliveries.observe(doneMs / 1000, count)
  }
}

export function defineQueueMetrics(
  metrics: Metrics,
  { writer, deliveries }: { readonly writer: MessageWriter; readonly deliveries: Deliveries },
) {
  metrics.gauge('messages_queued', 'messages that wait for a commit', () => writer.queued)
  metrics.total('messages_fanned_out', 'sessions that new messages were offered to', () => deliveries.fannedOut)
}

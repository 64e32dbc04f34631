import { definePlugin } from '../../core/index.ts'
import { privateMessages } from '../messages/index.ts'
import { handleAcknowledgements } from './acknowledgements.ts'
import type { Consumer } from './consumer.ts'
import { ConsumerStore } from './consumer-store.ts'
import { handleConsumers } from './consumers.ts'
import { endDelivery } from './deliveries.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { defineConsumerMetrics } from './metrics.ts'
import type { Parts } from './parts.ts'
import { acknowledge, shareConsumers } from './shared.ts'

/** How long a consumer stays loaded, at most, after its user went offline. */
const EVICTION_MS = 60_000

/**
 * Durable consumers: a user's messages as events. Each event is delivered until it is acknowledged individually, to the
 * session that started the consumer last. Independent of read and unread, which are about people.
 */
export const consumers = definePlugin({
  name: 'consumers',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { messages: privateMessages },
  setup(app, { needs, limits, log, db }) {
    const onLost = (consumer: Consumer) => endDelivery(parts, consumer)
    const store = new ConsumerStore({ db, log, clock: app.clock, limits, onLost })
    const parts: Parts = { app, db, store, conversations: needs.messages }
    shareConsumers(parts)
    handleConsumers(parts)
    handleAcknowledgements(parts)
    defineConsumerMetrics(parts)
    app.status(() => ({ consumers: store.active.length }))
    // Not when a user goes offline: a request in flight may load a consumer after that.
    app.every(EVICTION_MS, () => store.evict((userId) => app.presence.isHere(userId)))
    app.onStop(() => store.writer.close())
    return {
      has: async (userId: number, name: string) => (await store.find(userId, name)) !== undefined,
      /** Acknowledges events of a consumer; resolves after the commit. @throws Refused `no_consumer` */
      acknowledge: (userId: number, name: string, ids: readonly number[]) => acknowledge(parts, { userId, name, ids }),
    }
  },
})

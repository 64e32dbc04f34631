import { z } from 'zod'
import { definePlugin, InOrder, type UserSession } from '../../core/index.ts'
import { LogFeed, MessageWriter, UNCHECKED } from '../../db/index.ts'
import { accounts } from '../accounts/index.ts'
import { changes } from '../changes/index.ts'
import { Conversations } from './conversations.ts'
import { Deliveries } from './deliveries.ts'
import { FAILURES } from './failures.ts'
import { FanOut, type Routed } from './fan-out.ts'
import { ForeignMessages } from './foreign-messages.ts'
import { LIMITS } from './limits.ts'
import { Loops } from './loops.ts'
import * as messages from './messages.ts'
import { commitMetrics, defineQueueMetrics } from './metrics.ts'
import { PrivateMessages } from './private-messages.ts'
import { handleQueries } from './queries.ts'
import { handleRecall } from './recall.ts'
import { handleReceiving } from './receiving.ts'
import { handleSending } from './sending.ts'
import { Sources } from './sources.ts'
import { StoredMessages } from './stored-messages.ts'
import { handleSync } from './sync.ts'
import { WriteRules } from './write-rules.ts'

/** Private messages, and for the other sorts of conversations storing, delivery and search: see Conversations. */
export const privateMessages = definePlugin({
  name: 'messages',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { changes, accounts },
  options: z.strictObject({
    /** Whether the sender of a private message is notified when it was read. The reader's other sessions always are. */
    readReceipts: z.boolean().default(true),
  }),
  async setup(app, { options: { readReceipts }, needs, limits, log, db }) {
    const onError = (error: unknown) => log.warn({ err: error }, 'cannot mark messages as read')
    const shared = needs.changes instanceof LogFeed ? (needs.changes as LogFeed<Routed>) : undefined
    const writer = await MessageWriter.open(db, onError, commitMetrics(app.metrics), shared)
    app.onStop(() => writer.close())
    const sources = new Sources((above) => writer.readsSettled(above))
    const horizon = () => writer.horizon
    const deliveries = new Deliveries({ app, log, window: limits.unacknowledged, horizon })
    defineQueueMetrics(app.metrics, { writer, deliveries })
    const fanOut = new FanOut(app, deliveries)
    const loops = new Loops(app, limits)
    if (shared !== undefined) {
      const foreign = new ForeignMessages({ app, db, accounts: needs.accounts, sources, deliveries, loops })
      foreign.follow(shared)
      shared.route({
        push: ({ message, row, audience }) => fanOut.push(message, row, audience),
        pause: () => deliveries.pause(),
        prepare: (rows) => foreign.prepare(rows),
        find: (row) => foreign.find(row),
        committed: (rows) => writer.committed(rows),
      })
    }
    const settled = () => shared?.catchUp() ?? writer.settled()
    const checkedUpTo = () => shared?.checkedUpTo ?? UNCHECKED
    const { accounts } = needs
    const stored = new StoredMessages({ app, db, accounts, sources, deliveries, horizon, settled, checkedUpTo })
    const writeRules = new WriteRules()
    const parts = { app, db, limits, log, writer, sources, deliveries, fanOut, shared, stored, loops, writeRules }
    const conversations = new Conversations(parts)
    const privateMessages = new PrivateMessages(db, needs.accounts, { writeRules, readReceipts })
    sources.add(privateMessages.source())
    const names = new InOrder<UserSession>()
    const all = { ...parts, accounts: needs.accounts, conversations, privateMessages, names, readReceipts }
    for (const handle of [handleSending, handleReceiving, handleRecall, handleQueries, handleSync]) handle(all)
    return conversations
  },
})

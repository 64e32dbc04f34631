import { z } from 'zod'
import { definePlugin, InOrder, type UserSession } from '../../core/index.ts'
import { MessageWriter } from '../../db/index.ts'
import { accounts } from '../accounts/index.ts'
import { Conversations } from './conversations.ts'
import { Deliveries } from './deliveries.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { PrivateMessages } from './private-messages.ts'
import { handleQueries } from './queries.ts'
import { handleRecall } from './recall.ts'
import { handleReceiving } from './receiving.ts'
import { handleSending } from './sending.ts'
import { Sources } from './sources.ts'
import { handleSync } from './sync.ts'

/** Private messages, and for the other sorts of conversations storing, delivery and search: see Conversations. */
export const privateMessages = definePlugin({
  name: 'messages',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts },
  options: z.strictObject({
    /** Whether the sender of a private message is notified when it was read. The reader's other sessions always are. */
    readReceipts: z.boolean().default(true),
  }),
  async setup(app, { options: { readReceipts }, needs, limits, log, db }) {
    const writer = await MessageWriter.open(db, (error) => log.warn({ err: error }, 'cannot mark messages as read'))
    app.onStop(() => writer.close())
    const sources = new Sources(() => writer.readsSettled())
    const deliveries = new Deliveries({ app, log, window: limits.unacknowledged, horizon: () => writer.horizon })
    const conversations = new Conversations({ app, limits, log, writer, sources, deliveries })
    const privateMessages = new PrivateMessages(db, needs.accounts, readReceipts)
    sources.add(privateMessages.source())
    const store = { app, limits, db, accounts: needs.accounts, sources, deliveries, conversations }
    const parts = { ...store, privateMessages, names: new InOrder<UserSession>(), readReceipts }
    for (const handle of [handleSending, handleReceiving, handleRecall, handleQueries, handleSync]) handle(parts)
    return conversations
  },
})

import { z } from 'zod'
import { definePlugin, FairSemaphore, ServerStarted } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { AddressPolicy, isNetwork } from './addresses.ts'
import { FAILURES } from './failures.ts'
import { Hooks } from './hooks.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { defineHookMetrics } from './metrics.ts'
import type { Parts } from './parts.ts'
import { handleRequests } from './requests.ts'
import { askFor, shareHooks } from './sharing.ts'

/** Requests of one hook at once. */
const REQUESTS_OF_HOOK = 4

/** Outgoing webhooks: each posts the messages of a user to a URL, signed, in order, at least once; see docs/WEBHOOKS.md. */
export const hooks = definePlugin({
  name: 'hooks',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages, groups },
  options: z.strictObject({
    /** Private networks that hooks may reach, such as 192.168.1.0/24. */
    networks: z
      .array(z.string().refine(isNetwork, 'is neither an address nor a network such as 192.168.1.0/24'))
      .default([]),
    /** Ports besides 80 and 443. */
    ports: z.array(z.number().int().min(1).max(65_535)).default([]),
  }),
  async setup(app, { options, needs, limits, log, db }) {
    const parts: Parts = {
      app,
      db,
      log,
      limits,
      accounts: needs.accounts,
      conversations: needs.messages,
      posting: {
        clock: app.clock,
        addresses: new AddressPolicy(options),
        timeoutMs: limits.hookTimeout,
        signal: app.signal,
      },
      requests: new FairSemaphore(limits.hookRequests, REQUESTS_OF_HOOK),
      askFor: askFor(app),
      key: app.secret('secrets'),
      attempts: app.metrics.counters('hook_attempts', 'requests of outgoing webhooks by outcome', ['outcome']),
      replies: app.metrics.counter('hook_replies', 'messages made of answers to outgoing webhooks'),
    }
    const hooks = new Hooks(parts)
    handleRequests(parts, hooks)
    defineHookMetrics(app.metrics, hooks)
    await hooks.load()
    shareHooks(parts, hooks)
    app.on(ServerStarted, () => hooks.start())
    app.onStop(() => hooks.stop())
  },
})

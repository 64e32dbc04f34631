import { definePlugin, ServerStarted } from '../../core/index.ts'
import { forgetScheduled, Nodes, nextScheduled, resumeScheduled, takeDue } from '../../db/index.ts'
import { accounts } from '../accounts/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { handleScheduledList } from './scheduled-list.ts'
import { Scheduler } from './scheduler.ts'
import { handleScheduling } from './scheduling.ts'
import { sendScheduled } from './sending.ts'

const DAY_MS = 86_400_000
/** Interval at which a node looks for messages of others. */
const LOOK_MS = 10_000
/** Another node has stored a message, or has put one off. */
const CHANGED = 'schedule.changed'
/** Settled messages are listed this long. */
const RETENTION_MS = 30 * DAY_MS

/** Messages sent at a set time on behalf of their author, who may be offline; they survive restarts. */
export const schedule = definePlugin({
  name: 'schedule',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages, groups },
  setup(app, { needs, limits, log, db }) {
    const { accounts, groups } = needs
    const parts = { app, limits, db, log, accounts, groups, conversations: needs.messages }
    const { cluster } = app
    const nodes = new Nodes(db, app.clock)
    const scheduler = new Scheduler({
      clock: app.clock,
      log,
      isShared: cluster.node !== 0,
      resume: () => resumeScheduled(db, cluster.node, cluster.node === 0 ? undefined : nodes.living()),
      next: () => nextScheduled(db),
      take: () => takeDue(db, app.clock.time(), cluster.node),
      send: (row) => sendScheduled(parts, row),
    })
    handleScheduling(parts, () => {
      scheduler.wake()
      cluster.say(CHANGED, {})
    })
    if (cluster.node !== 0) {
      cluster.hear(CHANGED, () => scheduler.wake())
      app.every(LOOK_MS, () => scheduler.wake())
    }
    handleScheduledList(parts)

    const prune = () => forgetScheduled(db, app.clock.time() - RETENTION_MS, app.signal)
    app.on(ServerStarted, () => scheduler.wake())
    app.on(ServerStarted, prune)
    app.every(DAY_MS, prune)
    app.onStop(() => scheduler.stop())
  },
})

import { ALONE, definePlugin } from '../../core/index.ts'
import { ChangeFeed, LogFeed } from '../../db/index.ts'

/** Pause between reads of the log that nothing has asked for: wake-ups of other nodes may be lost. */
const POLL_MS = 250

/**
 * The log of changes, for plugins that keep in memory what they have read from the database. With other nodes it is the whole
 * log, of messages too.
 */
export const changes = definePlugin({
  name: 'changes',
  setup: async (app, { db, log }): Promise<ChangeFeed> => {
    const onError = (error: unknown) => log.error({ err: error }, 'cannot read the log of changes')
    const { cluster, clock } = app
    if (cluster === ALONE) return ChangeFeed.open(db, onError)
    const feed = await LogFeed.start({
      db,
      now: () => clock.now(),
      say: (last) => cluster.say('head', { last }),
      onError,
    })
    app.onStop(cluster.hear('head', (payload) => feed.reach(Number((payload as { last?: unknown }).last) || 0)))
    app.onStop(cluster.onGap(() => void feed.catchUp()))
    app.every(POLL_MS, () => feed.catchUp())
    app.status(() => ({ seen: feed.seen }))
    return feed
  },
})

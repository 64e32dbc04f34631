import { definePlugin } from '../../core/index.ts'
import { ChangeFeed } from '../../db/index.ts'

/** The log of changes, for plugins that keep in memory what they have read from the database. */
export const changes = definePlugin({
  name: 'changes',
  setup: (_app, { db, log }) =>
    ChangeFeed.open(db, (error) => log.error({ err: error }, 'cannot read the log of changes')),
})

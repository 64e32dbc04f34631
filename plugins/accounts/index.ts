import { definePlugin } from '../../core/index.ts'
import { changes } from '../changes/index.ts'
import { Accounts } from './accounts.ts'
import { FAILURES } from './failures.ts'
import { loadShapes } from './shapes.ts'

export { type Account, existing, SYSTEM } from './account.ts'
export type { Accounts } from './accounts.ts'
export { AccountDisabled } from './events.ts'

/** Accounts, for all other plugins: none of them queries the table. */
export const accounts = definePlugin({
  name: 'accounts',
  failures: FAILURES,
  needs: { changes },
  setup: async (app, { db, needs }) => new Accounts({ app, db, ...needs, shapes: await loadShapes(db) }),
})

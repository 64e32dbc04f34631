import { definePlugin } from '../../core/index.ts'
import { changes } from '../changes/index.ts'
import { Accounts } from './accounts.ts'
import { FAILURES } from './failures.ts'
import { loadShapes } from './shapes.ts'

export { type Account, existing, SYSTEM } from './account.ts'
export type { Accounts } from './accounts.ts'

/** Accounts, for all other plugins: none of them queries the table. */
export const accounts = definePlugin({
  name: 'accounts',
  failures: FAILURES,
  needs: { changes },
  setup: async (app, { db, log, needs }) => new Accounts({ app, db, log, ...needs, shapes: await loadShapes(db) }),
})

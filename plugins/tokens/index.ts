import { definePlugin } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { changes } from '../changes/index.ts'
import { FAILURES } from './failures.ts'
import { handleTokens } from './handlers.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { Tokens } from './tokens.ts'

export type { Access, Grant, Scope, Target } from './access.ts'
export { bearerOf, type Tokens } from './tokens.ts'

/** How often expired tokens are looked for. */
const EXPIRY_MS = 1000

/** Tokens, with which programs act as their users without a login. */
export const tokens = definePlugin({
  name: 'tokens',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, changes },
  setup(app, { needs: { accounts, changes }, limits, db, log }) {
    const tokens = new Tokens({ app, db, accounts, limits, log })
    handleTokens({ app, db, limits, changes })
    changes.follow('user', tokens)
    app.every(EXPIRY_MS, () => tokens.endExpired())
    return tokens
  },
})

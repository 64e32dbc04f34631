import { definePlugin } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { handleAccounts } from './accounts.ts'
import * as messages from './messages.ts'
import { auditOperators } from './operator-audit.ts'
import { handleSessions } from './sessions.ts'

/** Requests of operators: manage accounts, end sessions, act as a user. All of them are in the audit log. */
export const admin = definePlugin({
  name: 'admin',
  messages,
  needs: { accounts },
  setup(app, { needs: { accounts } }) {
    handleAccounts(app, accounts)
    handleSessions(app, accounts)
    auditOperators(app)
  },
})

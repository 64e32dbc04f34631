import { definePlugin } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { privateMessages } from '../messages/index.ts'
import { handleConversation } from './conversation.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import { handleMembership } from './membership.ts'
import * as messages from './messages.ts'
import { announcePresence } from './presence.ts'
import { Roster } from './roster.ts'

/** Groups: membership and roles, and messages that are one stored row with a read position a member. */
export const groups = definePlugin({
  name: 'groups',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages },
  setup(app, { needs, limits, db }) {
    const conversations = needs.messages
    // With what was acknowledged: who did is told so before it hears of the change.
    const roster = new Roster(db, () => Promise.all([conversations.postsSettled(), conversations.readsSettled()]))
    const room = { app, limits, db, roster, accounts: needs.accounts, conversations }
    handleMembership(room)
    handleConversation(room)
    announcePresence(room)
    return { member: (name: string, user: Parameters<Roster['member']>[1]) => roster.member(name, user) }
  },
})

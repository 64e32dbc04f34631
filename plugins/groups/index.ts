import { ALONE, definePlugin, type User } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { changes } from '../changes/index.ts'
import { privateMessages } from '../messages/index.ts'
import { handleConversation } from './conversation.ts'
import { FAILURES } from './failures.ts'
import { followForeignChanges } from './foreign-changes.ts'
import { handleGroups } from './groups.ts'
import { handleInvitations } from './invitations.ts'
import { LIMITS } from './limits.ts'
import { handleMembership } from './membership.ts'
import * as messages from './messages.ts'
import { announcePresence } from './presence.ts'
import { handleRoles } from './roles.ts'
import { Roster } from './roster.ts'

/** Groups: members and roles, and messages that are one stored row with a read position per member. */
export const groups = definePlugin({
  name: 'groups',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { changes, accounts, messages: privateMessages },
  setup(app, { needs, limits, db }) {
    const conversations = needs.messages
    // With the read positions: a member gets the reply to an acknowledgement before the notice of a later change.
    const roster = new Roster(db, needs.changes, () =>
      Promise.all([conversations.postsSettled(), conversations.readsSettled()]),
    )
    const parts = { app, limits, db, roster, accounts: needs.accounts, conversations }
    if (app.cluster !== ALONE) followForeignChanges(parts, needs.changes)
    handleGroups(parts)
    handleMembership(parts)
    handleInvitations(parts)
    handleRoles(parts)
    handleConversation(parts)
    announcePresence(parts)
    return {
      /** The group of a name, for a member. @throws Refused `group_not_exist`, `not_member` */
      member: (name: string, user: User) => roster.member(name, user),
    }
  },
})

import { joinGroup, kickFromGroup, leaveGroup } from '../../db/index.ts'
import { JoinRoom, KickFromRoom, LeaveRoom } from './messages.ts'
import { announceChange, type Notice } from './notices.ts'
import { actorOf, conversationOf, type Parts } from './parts.ts'
import type { Change } from './roster.ts'

/** Membership: join, leave, kick. */
export function handleMembership(parts: Parts) {
  const { app, limits, db, roster, conversations, accounts } = parts
  const { clock } = app

  app.handle(JoinRoom, async ({ user }, { group }) => {
    const { groupMembers, groupsPerUser } = limits
    await roster.change(
      group,
      (key) => joinGroup(db, key, user.id, { now: clock.time(), groupMembers, groupsPerUser }),
      (change) => announceChange(parts, change, { group, user: user.name, what: 'joined' }),
    )
  })

  /** Ends the delivery of the group to a former member. The notice is the last push of the group to that user. */
  const removed = (change: Change, notice: Notice, userId: number) => {
    conversations.left(userId, conversationOf(change.after.id))
    announceChange(parts, change, notice, [userId])
  }

  app.handle(LeaveRoom, async ({ user }, { group }) => {
    await roster.change(
      group,
      (key) => leaveGroup(db, key, user.id),
      (change) => removed(change, { group, user: user.name, what: 'left' }, user.id),
    )
  })

  app.handle(KickFromRoom, async (session, { group, user: name }) => {
    // Before the account: only members may learn that a group or an account exists.
    await roster.member(group, session.user)
    const account = await accounts.require(name)
    await roster.change(
      group,
      (key) => kickFromGroup(db, key, actorOf(session), account.id),
      (change) => removed(change, { group, user: account.name, what: 'kicked' }, account.id),
    )
  })
}

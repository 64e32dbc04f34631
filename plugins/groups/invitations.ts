import { Refused } from '../../core/index.ts'
import { inviteToGroup } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { InviteToRoom, RoomInvitation } from './messages.ts'
import { actorOf, type Parts } from './parts.ts'
import { roleIn } from './roster.ts'

/** Invitations to groups, by owners and admins. */
export function handleInvitations({ app, limits, db, roster, accounts }: Parts) {
  const { clock } = app

  app.handle(InviteToRoom, async (session, { group: name, user: invited }) => {
    const group = await roster.member(name, session.user)
    if (roleIn(group, session.user.id) === 'member') throw new Refused(FAILURES.role_too_low)
    const guest = await accounts.require(invited, { active: true })
    const { invitations, invitationsToOne } = limits
    await roster.unchanged(
      name,
      (key) => inviteToGroup(db, key, actorOf(session), guest.id, { now: clock.time(), invitations, invitationsToOne }),
      ({ isNew }) => {
        // No second notice while an invitation is pending.
        if (isNew) app.users.send([guest.id], RoomInvitation, { group: name, by: session.user.name })
      },
    )
  })
}

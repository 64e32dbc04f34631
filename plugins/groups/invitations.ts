import { Refused } from '../../core/index.ts'
import { declineInvitation, invitationsTo, inviteToGroup } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { DeclineInvitation, InviteToRoom, QueryInvitations, RoomInvitation } from './messages.ts'
import { actorOf, type Parts } from './parts.ts'
import { roleIn } from './roster.ts'

/** Invitations in one reply. The rest follows once some are answered. */
const MAX_INVITATIONS = 1000

/** Invitations to groups: by owners and admins, listed and declined by the invited users. */
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

  app.handle(QueryInvitations, async ({ user }) => {
    const rows = await invitationsTo(db, user.id, MAX_INVITATIONS)
    const inviting = await accounts.byIds(rows.map(({ invited_by }) => invited_by).filter((id) => id > 0))
    const invitations = rows.map(({ name, invited_by, create_time }) => ({
      group: name,
      by: inviting.get(invited_by)?.name ?? '',
      invitedAt: create_time,
    }))
    return { invitations }
  })

  app.handle(DeclineInvitation, ({ user }, { group }) =>
    roster.unchanged(
      group,
      (key) => declineInvitation(db, key, user.id),
      () => undefined,
    ),
  )
}

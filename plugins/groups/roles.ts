import { setGroupRole } from '../../db/index.ts'
import { SetRoomRole } from './messages.ts'
import { announceChange } from './notices.ts'
import { actorOf, type Parts } from './parts.ts'

/** Roles of members. */
export function handleRoles(parts: Parts) {
  const { app, db, roster, accounts } = parts

  app.handle(SetRoomRole, async (session, { group, user: name, role }) => {
    // Before the account: only members may learn that a group or an account exists.
    await roster.member(group, session.user)
    const account = await accounts.require(name)
    await roster.change(
      group,
      (key) => setGroupRole(db, key, actorOf(session), account.id, role),
      (change) => announceChange(parts, change, { group, user: account.name, what: 'role', value: role }),
    )
  })
}

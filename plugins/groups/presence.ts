import { Presence, SessionEnded, SessionStarted, tellMany, type User } from '../../core/index.ts'
import * as messages from './messages.ts'
import type { Room } from './room.ts'

/** Tells the members of a user's groups that it came or went: one push a group. */
export function announcePresence({ app, roster, office }: Room) {
  const tellMembers = async (user: User, online: boolean) => {
    let pushes = 0
    for (const id of await roster.idsOf(user.id)) {
      const group = await roster.byId(id)
      if (!group?.members.has(user.id)) continue
      // Those who are members by the time that it is their turn, while the user is one.
      const isBoth = (userId: number) => {
        const now = roster.peek(id)
        return userId !== user.id && now?.name === group.name && now.members.has(user.id) && now.members.has(userId)
      }
      const values = { group: group.name, user: user.name, online }
      pushes += await tellMany(app.sessions, group.memberIds, messages.RoomUserOnOffLine, values, isBoth)
    }
    return pushes
  }
  const announce = async (user: User, online: boolean) =>
    (await office.retries.until(() => tellMembers(user, online))) ?? 0
  const { sessions, clock, limits } = app
  const presence = new Presence({ sessions, clock, rate: limits.presenceRate, announce })
  app.onStop(() => presence.stop())
  app.on(SessionStarted, (session) => presence.changed(session))
  app.on(SessionEnded, (session) => presence.changed(session))
}

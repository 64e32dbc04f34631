import { PresenceThrottle, type User, UserOffline, UserOnline } from '../../core/index.ts'
import { RoomUserOnOffLine } from './messages.ts'
import type { Parts } from './parts.ts'

/**
 * Notifies the other members of each of a user's groups when the user comes online or goes offline: one push per group. Each
 * node notifies those on it.
 */
export function announcePresence({ app, roster, conversations }: Parts) {
  const notifyMembers = async (user: User, online: boolean) => {
    let pushes = 0
    for (const id of await roster.idsOf(user.id)) {
      const group = await roster.byId(id)
      if (!group?.members.has(user.id)) continue
      // Checked at each push: both are members of the group at that moment.
      const isRecipient = (userId: number) => {
        const now = roster.peek(id)
        return userId !== user.id && now?.name === group.name && now.members.has(user.id) && now.members.has(userId)
      }
      const values = { group: group.name, user: user.name, online }
      pushes += await app.users.announce(group.memberIds, RoomUserOnOffLine, values, isRecipient, { isLocal: true })
    }
    return pushes
  }
  const announce = async (user: User, online: boolean) =>
    (await conversations.retry(() => notifyMembers(user, online))) ?? 0
  const { presence, clock, limits } = app
  const throttle = new PresenceThrottle({ presence, clock, rate: limits.presenceRate, announce })
  app.onStop(() => throttle.stop())
  app.on(UserOnline, (user) => throttle.changed(user))
  app.on(UserOffline, (user) => throttle.changed(user))
}

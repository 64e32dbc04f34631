import { PresenceThrottle, type User, UserOffline, UserOnline } from '../../core/index.ts'
import { FriendOnOffLine } from './messages.ts'
import type { Parts } from './parts.ts'

/** Notifies friends on this node when a user comes online or goes offline on any: each node does so. */
export function announcePresence({ app, circles, conversations }: Parts) {
  const notifyFriends = async (user: User, online: boolean) => {
    const { friends } = await circles.of(user.id)
    return app.users.announce(friends.keys(), FriendOnOffLine, { user: user.name, online }, undefined, {
      isLocal: true,
    })
  }
  const announce = async (user: User, online: boolean) =>
    (await conversations.retry(() => notifyFriends(user, online))) ?? 0
  const { presence, clock, limits } = app
  const throttle = new PresenceThrottle({ presence, clock, rate: limits.presenceRate, announce })
  app.onStop(() => throttle.stop())
  app.on(UserOnline, (user) => throttle.changed(user))
  app.on(UserOffline, (user) => throttle.changed(user))
}

import { unfriend } from '../../db/index.ts'
import { DeleteFriend, FriendList } from './messages.ts'
import { announceEnd } from './notices.ts'
import type { Parts } from './parts.ts'

/** Friendships: list, end. */
export function handleFriendships(parts: Parts) {
  const { app, db, accounts, circles } = parts

  app.handle(
    FriendList,
    async ({ user }) => {
      const { friends } = await circles.of(user.id)
      const byId = await accounts.byIds(friends.keys())
      const list = [...byId.values()].map(({ id, name, nickname }) => ({
        user: name,
        nickname,
        online: app.presence.isOnline(id),
        since: friends.get(id) ?? 0,
      }))
      return { friends: list.sort((a, b) => (a.user < b.user ? -1 : 1)) }
    },
    { serial: true },
  )

  // Also with a disabled account.
  app.handle(DeleteFriend, async ({ user }, { user: name }) => {
    const other = await accounts.require(name)
    await circles.change(
      [user, other],
      () => unfriend(db, user.id, other.id),
      () => announceEnd(parts, user, other),
    )
  })
}

import type { App, User } from '../../core/index.ts'
import { FriendshipChanged } from './events.ts'
import { AddFriendResult, FriendDeleted } from './messages.ts'
import type { Parts } from './parts.ts'

/** Notifies both users of the answer to a request. */
export function announceAnswer({ app }: Parts, one: User, other: User, accepted: boolean) {
  app.users.send([one.id], AddFriendResult, { user: other.name, nickname: other.nickname, accepted })
  app.users.send([other.id], AddFriendResult, { user: one.name, nickname: one.nickname, accepted })
  if (accepted) shareChange(app, one, other)
}

/** Notifies both users of the end of their friendship. */
export function announceEnd({ app }: Parts, one: User, other: User) {
  app.users.send([one.id], FriendDeleted, { user: other.name })
  app.users.send([other.id], FriendDeleted, { user: one.name })
  shareChange(app, one, other)
}

const shareChange = (app: App, { id: one }: User, { id: other }: User) =>
  app.share(FriendshipChanged, { between: [one, other] }, [one, other])

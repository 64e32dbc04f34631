import type { User } from '../../core/index.ts'
import { FriendshipChanged } from './events.ts'
import { AddFriendResult, FriendDeleted } from './messages.ts'
import type { Parts } from './parts.ts'

/** Notifies both users of the answer to a request. */
export function announceAnswer({ app }: Parts, one: User, other: User, accepted: boolean) {
  app.users.send([one.id], AddFriendResult, { user: other.name, nickname: other.nickname, accepted })
  app.users.send([other.id], AddFriendResult, { user: one.name, nickname: one.nickname, accepted })
  if (accepted) app.emit(FriendshipChanged, { between: [one.id, other.id] })
}

/** Notifies both users of the end of their friendship. */
export function announceEnd({ app }: Parts, one: User, other: User) {
  app.users.send([one.id], FriendDeleted, { user: other.name })
  app.users.send([other.id], FriendDeleted, { user: one.name })
  app.emit(FriendshipChanged, { between: [one.id, other.id] })
}

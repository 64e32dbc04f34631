import { type App, type User, UserOffline, UserOnline } from '../../core/index.ts'
import { FriendshipChanged } from '../friends/events.ts'
import { GroupChanged } from '../groups/events.ts'
import { ConversationChanged } from '../messages/events.ts'
import { ProfileSaved } from '../profiles/events.ts'
import type { ContactListParts } from './contact-list.ts'
import type { Watchers } from './watchers.ts'

interface Parts {
  readonly app: App
  readonly friends: ContactListParts['friends']
  readonly conversations: ContactListParts['conversations']
  readonly watchers: Watchers
}

/** Marks contacts as changed by the events of conversations, friendships, groups and presence. */
export function watchChanges({ app, friends, conversations, watchers }: Parts) {
  const between = ([one, other]: readonly [number, number]) => {
    watchers.userChanged(one, other)
    watchers.userChanged(other, one)
  }
  app.on(ConversationChanged, (change) => {
    if ('between' in change) between(change.between)
    else watchers.groupChanged(change.userIds, change.groupId)
  })
  app.on(FriendshipChanged, (change) => between(change.between))
  app.on(GroupChanged, ({ groupId, userIds }) => watchers.groupChanged(userIds, groupId))

  const changedForFriends = (userId: number) =>
    conversations.retry(async () => {
      for (const id of (await friends.circleOf(userId)).friends.keys()) watchers.userChanged(id, userId)
    })
  const presenceChanged = ({ id }: User) => changedForFriends(id)
  app.on(ProfileSaved, ({ userId }) => changedForFriends(userId))
  app.on(UserOnline, presenceChanged)
  app.on(UserOffline, presenceChanged)
}

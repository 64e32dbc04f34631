import { type App, FairSemaphore, type User, UserOffline, UserOnline } from '../../core/index.ts'
import { FriendshipChanged } from '../friends/events.ts'
import { GroupChanged } from '../groups/events.ts'
import { ConversationChanged } from '../messages/events.ts'
import { ProfileSaved } from '../profiles/events.ts'
import type { ContactListParts } from './contact-list.ts'
import type { Watchers } from './watchers.ts'

/** Friends read at once: all users of another node may go offline together. */
const READS_AT_ONCE = 4

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

  const reads = new FairSemaphore(READS_AT_ONCE)
  const changedForFriends = async (userId: number) => {
    if (watchers.isEmpty) return
    await conversations.retry(async () => {
      const { friends: known } = await reads.run(String(userId), () => friends.circleOf(userId))
      for (const id of known.keys()) watchers.userChanged(id, userId)
    })
  }
  const presenceChanged = ({ id }: User) => changedForFriends(id)
  app.on(ProfileSaved, ({ userId }) => changedForFriends(userId))
  app.on(UserOnline, presenceChanged)
  app.on(UserOffline, presenceChanged)
}

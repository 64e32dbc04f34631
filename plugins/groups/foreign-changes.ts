import type { ChangeFeed } from '../../db/index.ts'
import { conversationOf, type Parts } from './parts.ts'

/**
 * Ends the delivery of a group to members whom another node has removed [D-7]. For changes of this node it does what they have
 * done themselves. A new member has nothing of the group in delivery.
 */
export function followForeignChanges({ roster, conversations }: Parts, changes: ChangeFeed) {
  const endIfDissolved = async (groupId: number) => {
    if ((await roster.byId(groupId)) === undefined) conversations.ended(conversationOf(groupId))
  }
  changes.follow('group', {
    changed: ({ subject, target_id }) =>
      target_id ? conversations.left(target_id, conversationOf(subject)) : endIfDissolved(subject),
    // The entries are told later.
    missed: () => {},
  })
}

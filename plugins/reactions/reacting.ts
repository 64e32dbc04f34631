import { Refused, type UserSession } from '../../core/index.ts'
import {
  isUnavailable,
  type MessageRow,
  type Reaction,
  type ReactionConflict,
  type ReactionState,
  reactionStateOf,
  setReaction,
} from '../../db/index.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import type { Place } from '../messages/source.ts'
import { toEmoji } from './emoji.ts'
import { React, ReactionChanged } from './messages.ts'
import type { Parts } from './parts.ts'

const CONFLICTS: Readonly<Record<ReactionConflict, ConstructorParameters<typeof Refused>>> = {
  no_message: [MESSAGE_FAILURES.no_message],
  too_many_of_user: ['too_many', 'you have too many reactions to this message'],
  too_many_emoji: ['too_many', 'this message has too many different reactions'],
}

interface Wanted {
  readonly emoji: string
  readonly isSet: boolean
  readonly checkedUpTo: number
}

/** Sets and removes reactions, and tells the readers of the message who are online. */
export function handleReacting({ app, db, limits, conversations }: Parts) {
  const { stored } = conversations

  const announce = async (
    { row, place }: { row: MessageRow; place: Place },
    { messageId: id, emoji, userId }: Reaction,
    { isSet, count }: ReactionState,
    by: UserSession,
  ) => {
    // The sender is among the readers even after leaving the group.
    const isSenderReading = await stored.mayRead(row.user_id, row)
    const { from, to, group, readers } = place
    const values = { id, from, to, group, user: by.user.name, emoji, removed: !isSet, count }
    const userIds = [...readers].filter((reader) => reader !== row.user_id || isSenderReading || reader === userId)
    // Clients query the reactions of what they show at their next login.
    app.users.send(userIds, ReactionChanged, values, { except: by, droppable: true })
  }

  const react = async (session: UserSession, id: number, { emoji, isSet, checkedUpTo }: Wanted) => {
    const row = await stored.readable(session, id)
    // A reaction is a way to write: a blocked user has none. Removing one is always allowed.
    if (isSet) await stored.checkWriter(session, row)
    const found = { row, place: await stored.place(row) }
    const reaction = { messageId: id, userId: session.user.id, emoji }
    try {
      const check = stored.checkOf(session, row, checkedUpTo)
      const change = await setReaction(db, reaction, isSet, { ...limits, now: app.clock.time(), check })
      if (change === undefined) return
      if ('conflict' in change) throw new Refused(...CONFLICTS[change.conflict])
      await announce(found, reaction, change, session)
    } catch (error) {
      // The change may be committed all the same: the state is announced as soon as it is known.
      if (isUnavailable(error))
        void conversations.retry(async () => announce(found, reaction, await reactionStateOf(db, reaction), session))
      throw error
    }
  }

  app.handle(React, (session, { id, emoji: given, remove }) => {
    const emoji = toEmoji(given)
    return stored.change(session, id, (checkedUpTo) => react(session, id, { emoji, isSet: !remove, checkedUpTo }))
  })
}

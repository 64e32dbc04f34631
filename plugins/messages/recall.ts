import { Refused, type UserSession } from '../../core/index.ts'
import { deleteMessage, findMessage, isUnavailable, type MessageRow } from '../../db/index.ts'
import { emitChange } from './events.ts'
import { FAILURES } from './failures.ts'
import { MessageRecalled, RecallMessage } from './messages.ts'
import type { Parts } from './parts.ts'
import type { Place } from './source.ts'

export function handleRecall({ app, db, deliveries, conversations }: Parts) {
  const { stored } = conversations

  const announce = (row: MessageRow, { conversation, to, group, readers }: Place, by: UserSession) => {
    const { id } = row
    const userIds = [...readers]
    for (const userId of userIds) deliveries.forget(userId, conversation, id)
    app.users.send(userIds, MessageRecalled, { id, from: by.user.name, to, group }, { except: by })
    emitChange(app, row, userIds)
  }

  const recall = async (session: UserSession, id: number, checkedUpTo: number) => {
    const row = await stored.own(session, id)
    // Before the deletion: if this fails, nobody could be notified, and the message stays.
    const place = await stored.place(row)
    try {
      // Of two concurrent requests one is refused.
      const isDeleted = await deleteMessage(db, row, stored.checkOf(session, row, checkedUpTo))
      if (!isDeleted) throw new Refused(FAILURES.no_message)
    } catch (error) {
      // The deletion may be committed all the same: it is announced as soon as that is known.
      if (isUnavailable(error))
        void conversations.retry(async () => {
          if ((await findMessage(db, id)) === undefined) announce(row, place, session)
        })
      throw error
    }
    announce(row, place, session)
  }

  app.handle(RecallMessage, (session, { id }) =>
    stored.change(session, id, (checkedUpTo) => recall(session, id, checkedUpTo)),
  )
}

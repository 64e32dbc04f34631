import { Refused, type UserSession } from '../../core/index.ts'
import { deleteMessage, findMessage, isUnavailable, type MessageRow, MSG_TYPE } from '../../db/index.ts'
import { emitChange } from './events.ts'
import { FAILURES } from './failures.ts'
import { MessageRecalled, RecallMessage } from './messages.ts'
import type { Parts } from './parts.ts'
import type { Place } from './source.ts'

/** Kinds that a sender may recall; the others are the server's own messages. */
const RECALLABLE: readonly number[] = [MSG_TYPE.chat, MSG_TYPE.group]

export function handleRecall({ app, db, sources, deliveries, conversations }: Parts) {
  const announce = (row: MessageRow, { conversation, to, group, readers }: Place, by: UserSession) => {
    const { id } = row
    const userIds = [...readers]
    for (const userId of userIds) deliveries.forget(userId, conversation, id)
    app.users.send(userIds, MessageRecalled, { id, from: by.user.name, to, group }, { except: by })
    emitChange(app, row, userIds)
  }

  app.handle(RecallMessage, async (session, { id }) => {
    const row = await findMessage(db, id)
    if (row === undefined || row.user_id !== session.user.id || !RECALLABLE.includes(row.msg_type))
      throw new Refused(FAILURES.no_message)
    const [source] = sources.ofKind(row.msg_type)
    // Before the deletion: if this fails, nobody could be notified, and the message stays.
    const place = await source?.place(row)
    if (place === undefined) throw new Refused(FAILURES.no_message)
    try {
      // Of two concurrent requests one is refused.
      if (!(await deleteMessage(db, row))) throw new Refused(FAILURES.no_message)
    } catch (error) {
      // The deletion may be committed all the same: it is announced as soon as that is known.
      if (isUnavailable(error))
        void conversations.retry(async () => {
          if ((await findMessage(db, id)) === undefined) announce(row, place, session)
        })
      throw error
    }
    announce(row, place, session)
  })
}

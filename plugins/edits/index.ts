import { definePlugin, Refused, type UserSession } from '../../core/index.ts'
import { editMessage, findMessage, isUnavailable, type MessageRow } from '../../db/index.ts'
import type { Revision } from '../messages/deliverable.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import { privateMessages } from '../messages/index.ts'
import type { Place } from '../messages/source.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'

/** Edits of one's own messages. */
export const edits = definePlugin({
  name: 'edits',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { messages: privateMessages },
  setup(app, { needs, limits, db }) {
    const conversations = needs.messages
    const { stored } = conversations

    const announce = (row: MessageRow, place: Place, { id, text, editedAt }: Revision, by: UserSession) => {
      stored.edited(row, place, { id, text, editedAt })
      const { to, group, readers } = place
      const values = { id, from: by.user.name, to, group, text, editedAt }
      app.users.send(readers, messages.MessageEdited, values, { except: by })
    }

    const edit = async (session: UserSession, id: number, text: string, checkedUpTo: number) => {
      const row = await stored.own(session, id)
      const now = app.clock.time()
      if (now - row.send_time > limits.editable) throw new Refused(FAILURES.not_editable)
      await stored.checkWriter(session, row)
      if (row.msg === text) return { editedAt: 0 }
      // Before the edit: if this fails, nobody could be notified, and the text stays.
      const place = await stored.place(row)
      // Ascends whatever the clock does: clients tell the later one of two texts by it.
      const revision = { id, text, editedAt: Math.max(now, (row.edited_at ?? 0) + 1) }
      try {
        const isEdited = await editMessage(db, revision, stored.checkOf(session, row, checkedUpTo))
        if (!isEdited) throw new Refused(MESSAGE_FAILURES.no_message)
      } catch (error) {
        // The edit may be committed all the same: it is announced as soon as that is known.
        if (isUnavailable(error))
          void conversations.retry(async () => {
            const current = await findMessage(db, id)
            if (current?.edited_at === revision.editedAt) announce(row, place, revision, session)
          })
        throw error
      }
      announce(row, place, revision, session)
      return { editedAt: revision.editedAt }
    }

    app.handle(messages.EditMessage, (session, { id, text }) => {
      conversations.checkText(text)
      return stored.change(session, id, (checkedUpTo) => edit(session, id, text, checkedUpTo))
    })
  },
})

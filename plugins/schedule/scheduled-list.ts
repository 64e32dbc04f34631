import { groupNameOf, scheduledOf } from '../../db/index.ts'
import { fitting } from '../messages/page.ts'
import { QueryScheduled } from './messages.ts'
import type { Parts } from './parts.ts'

/** A page of a user's scheduled messages. */
export function handleScheduledList({ app, db, accounts, conversations }: Parts) {
  app.handle(
    QueryScheduled,
    async ({ user }, { after, limit, all }) => {
      const size = conversations.pageSize(limit)
      const rows = await scheduledOf(db, user.id, { after, limit: size + 1, all })
      const page = rows.slice(0, Math.min(size, fitting(rows.map(({ msg: text }) => ({ text })))))
      const names = await accounts.byIds(page.filter((row) => !row.is_group).map((row) => row.target_id))
      const messages = await Promise.all(
        page.map(async (row) => ({
          id: row.id,
          to: row.is_group ? '' : (names.get(row.target_id)?.name ?? `#${row.target_id}`),
          group: row.is_group ? ((await groupNameOf(db, row.target_id)) ?? `#${row.target_id}`) : '',
          text: row.msg,
          at: row.due_at,
          state: row.state === 'sending' ? 'waiting' : row.state,
          reason: row.reason,
          messageId: row.message_id,
          file: row.file_id,
        })),
      )
      return { more: page.length < rows.length, messages }
    },
    { serial: true },
  )
}

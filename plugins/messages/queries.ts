import { Refused } from '../../core/index.ts'
import { QueryHistory, QueryInbox, SearchMessages } from './messages.ts'
import { historyPage } from './page.ts'
import type { Parts } from './parts.ts'
import { search } from './search.ts'

/** Pages of stored messages, each of which acknowledges nothing. */
export function handleQueries({ app, limits, db, sources, conversations, privateMessages }: Parts) {
  app.handle(
    QueryInbox,
    async (session, { after, limit, all }) => {
      const { found, more } = await sources.page(session, {
        after,
        limit: conversations.pageSize(limit),
        unreadOnly: !all,
      })
      return { more, messages: found.map(({ message }) => message) }
    },
    { serial: true },
  )

  app.handle(
    QueryHistory,
    async ({ user }, { with: other, limit, ...where }) => {
      const { id } = await privateMessages.partner(other)
      return historyPage(privateMessages.between(user.id, id), where, conversations.pageSize(limit))
    },
    { serial: true },
  )

  app.handle(
    SearchMessages,
    async (session, { text, before, limit, ...where }) => {
      if (where.with !== '' && where.group !== '') throw new Refused('invalid_value', 'set `with` or `group`, not both')
      return search(db, await sources.trails(session.user, where), {
        text,
        before: before || Number.MAX_SAFE_INTEGER,
        limit: conversations.pageSize(limit),
        bound: limits.searchRows,
        charge: (tokens) => session.charge(tokens),
      })
    },
    { serial: true },
  )
}

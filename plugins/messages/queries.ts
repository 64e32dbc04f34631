import { Refused } from '../../core/index.ts'
import { QueryHistory, QueryInbox, SearchMessages } from './messages.ts'
import { historyPage, pageSize } from './page.ts'
import type { Parts } from './parts.ts'
import { search } from './search.ts'

/** Pages of stored messages, each of which acknowledges nothing. */
export function handleQueries({ app, db, sources, privateMessages }: Parts) {
  const sizeOf = (asked: number) => pageSize(asked, app.limits.historyPage)

  app.handle(
    QueryInbox,
    async ({ user }, { after, limit, all }) => {
      const { found, more } = await sources.page(user.id, { after, limit: sizeOf(limit), unreadOnly: !all })
      return { more, messages: found.map(({ message }) => message) }
    },
    { serial: true },
  )

  app.handle(
    QueryHistory,
    async ({ user }, { with: other, before, limit }) => {
      const { id } = await privateMessages.partner(other)
      const size = sizeOf(limit)
      const range = { before: before || Number.MAX_SAFE_INTEGER, limit: size + 1 }
      return historyPage(await privateMessages.between(user.id, id, range), size)
    },
    { serial: true },
  )

  app.handle(
    SearchMessages,
    async (session, { text, before, limit, ...where }) => {
      if (where.with !== '' && where.group !== '') throw new Refused('invalid_value', 'with or group, not both')
      return search(db, await sources.trails(session.user, where), {
        text,
        before: before || Number.MAX_SAFE_INTEGER,
        limit: sizeOf(limit),
        bound: app.limits.searchRows,
        charge: (tokens) => session.charge(tokens),
      })
    },
    { serial: true },
  )
}

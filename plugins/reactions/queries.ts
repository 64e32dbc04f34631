import { countReactions } from '../../db/index.ts'
import { QueryReactions } from './messages.ts'
import type { Parts } from './parts.ts'

/** Reactions to the messages that a client shows. */
export function handleQueries({ app, db, conversations }: Parts) {
  app.handle(
    QueryReactions,
    async (session, { ids }) => {
      const unique = [...new Set(ids.map(({ id }) => id))]
      const readable = (await conversations.stored.readableRows(session, unique)).map(({ id }) => id)
      return { reactions: await countReactions(db, readable, session.user.id) }
    },
    { serial: true },
  )
}

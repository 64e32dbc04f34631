import { definePlugin } from '../../core/index.ts'
import { privateMessages } from '../messages/index.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { handleQueries } from './queries.ts'
import { handleReacting } from './reacting.ts'

/** Emoji that readers of a message put on it. */
export const reactions = definePlugin({
  name: 'reactions',
  messages,
  limits: LIMITS,
  needs: { messages: privateMessages },
  setup(app, { needs, limits, db }) {
    const parts = { app, db, limits, conversations: needs.messages }
    handleReacting(parts)
    handleQueries(parts)
  },
})

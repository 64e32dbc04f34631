import { z } from 'zod'
import { definePlugin } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { changes } from '../changes/index.ts'
import { privateMessages } from '../messages/index.ts'
import { handleBlocks } from './blocks.ts'
import { Circles } from './circle.ts'
import { FAILURES } from './failures.ts'
import { handleFriendships } from './friendships.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { announcePresence } from './presence.ts'
import { handleRequests } from './requests.ts'
import { checkWriters, writeRule } from './write-rule.ts'

/** Friend requests, friendships, blocks, and the presence of friends. */
export const friends = definePlugin({
  name: 'friends',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { changes, accounts, messages: privateMessages },
  options: z.strictObject({
    /** Senders of private messages. Bots and admins may write to anyone who has not blocked them, operators to anyone, and anyone to a bot. */
    messagesFrom: z.enum(['anyone', 'friends']).default('friends'),
  }),
  setup(app, { options, needs, limits, db }) {
    const conversations = needs.messages
    const circles = new Circles(db, needs.changes, () => conversations.postsSettled())
    const parts = { app, limits, db, accounts: needs.accounts, circles, conversations }
    handleRequests(parts)
    handleFriendships(parts)
    handleBlocks(parts)
    const checkWriter = writeRule(parts, options.messagesFrom)
    checkWriters(parts, checkWriter)
    announcePresence(parts)
    return {
      circleOf: (userId: number) => circles.of(userId),
      /** Whether a session's user may write to an account. @throws Refused `blocked`, `not_friends` */
      checkWriter,
    }
  },
})

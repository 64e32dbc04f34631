import { definePlugin, HttpRefusal, Refused } from '../../core/index.ts'
import { isUnavailable } from '../../db/index.ts'
import { accounts } from '../accounts/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { tokens } from '../tokens/index.ts'
import { FAILURES } from './failures.ts'
import { handleIncomingHooks } from './handlers.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { Receiver } from './receiver.ts'

const PREFIX = '/hooks'

/** A refusal as senders take it: they try again later after 429 and 5xx only. */
function toRefusal(error: unknown): unknown {
  if (error instanceof Refused) {
    const { code, message, retryAfter } = error
    const headers: Record<string, string> =
      retryAfter > 0 ? { 'Retry-After': String(Math.ceil(retryAfter / 1000)) } : {}
    if (code === 'rate_limited') return new HttpRefusal(429, message, headers)
    return ['unavailable', 'shutting_down', 'internal'].includes(code)
      ? new HttpRefusal(503, message, headers)
      : new HttpRefusal(403, `${code}: ${message}`)
  }
  return isUnavailable(error) ? new HttpRefusal(503, 'the database is unavailable; retry later') : error
}

/** Incoming webhooks: requests of programs that know other chat systems become messages. */
export const incoming = definePlugin({
  name: 'incoming',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, tokens, messages: privateMessages, groups },
  setup(app, { needs, limits, db, log }) {
    const { accounts, tokens, messages: conversations } = needs
    handleIncomingHooks({ app, db, accounts, limits })
    const receiver = new Receiver({ app, db, log, accounts, tokens, conversations })
    app.http.route({
      prefix: PREFIX,
      methods: ['GET', 'POST'],
      maxBody: limits.incomingHookBody,
      async handle(request, response) {
        try {
          await receiver.receive(request, response, request.path.slice(PREFIX.length + 1).split('/'))
        } catch (error) {
          throw toRefusal(error)
        }
      },
    })
  },
})

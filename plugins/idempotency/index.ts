import { Done, definePlugin, encode } from '../../core/index.ts'
import { deleteRequestKeysBefore } from '../../db/index.ts'
import { Executions } from './executions.ts'
import { FAILURES } from './failures.ts'
import { innerRequest } from './inner-request.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { RequestKeys } from './request-keys.ts'

const HOUR_MS = 3_600_000

/** Requests with an idempotency key: carried out once, however often they are sent. */
export const idempotency = definePlugin({
  name: 'idempotency',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  setup(app, { limits, db, log }) {
    const executions = new Executions(app, db, log, new RequestKeys(app, limits, db, log))

    app.handle(messages.Once, async (session, { key, request }) => {
      const { message, values, hash } = innerRequest(app, request)
      return executions.run({
        row: {
          user_id: session.user.id,
          request_key: key,
          request_hash: hash,
          reply: null,
          asked_at: app.clock.time(),
          owner: app.cluster.node,
        },
        perform: () => session.request(message, values, { rated: false }),
        toReply: (reply) => encode(message.reply ?? Done, 0, (reply ?? {}) as never),
      })
    })

    const prune = () => deleteRequestKeysBefore(db, app.clock.time() - limits.requestKeys)
    app.every(HOUR_MS, prune)
    return prune()
  },
})

import { type App, type ClientMessage, Refused } from '../../core/index.ts'
import { objectOf } from './bodies.ts'
import { type Calls, idempotencyKey } from './calls.ts'
import { fromJson, toJson } from './json.ts'
import type { Operation } from './operation.ts'
import { sendJson } from './problems.ts'

/** Any message of the catalogue, plugins' included. */
export function callingOperation(app: App, calls: Calls): Operation {
  const require = (name: string): ClientMessage => {
    const message = app.catalogue.byName(name)
    if (message?.from === 'client') return message
    throw new Refused('unknown_type', `there is no request "${name}"`)
  }
  return {
    method: 'POST',
    path: '/call/:message',
    scope: undefined,
    async run({ request, response, access, parameters: [name = ''] }) {
      const message = require(name)
      const values = fromJson(message, await objectOf(request))
      const key = idempotencyKey(request)
      const { reply, isRepeat } =
        key === undefined
          ? { reply: await calls.perform(access, request.address, message, values), isRepeat: false }
          : await calls.performOnce(access, request.address, message, values, key)
      if (isRepeat) response.setHeader('Idempotency-Replayed', 'true')
      sendJson(response, 200, toJson(message.reply ?? { fields: {} }, reply))
    },
  }
}

import { Refused } from '../../core/index.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import { SendMessage } from '../messages/messages.ts'
import { isJson, objectOf, textOf, type Values } from './bodies.ts'
import { type Calls, idempotencyKey } from './calls.ts'
import { fromJson } from './json.ts'
import type { Exchange, Operation } from './operation.ts'
import { sendJson } from './problems.ts'

/** `send` answers when the message is on disk. */
export function sendingOperations(calls: Calls): Operation[] {
  const send = async ({ request, response, access }: Exchange, fields: Values) => {
    const message = fields.group === undefined ? SendMessage : ChatroomMessage
    const key = idempotencyKey(request)
    if (key !== undefined && fields.clientId !== undefined)
      throw new Refused('invalid_value', 'Idempotency-Key is the clientId: set one of the two')
    const values = fromJson(message, key === undefined ? fields : { ...fields, clientId: key })
    const { id, sentAt, repeat } = await calls.perform(access, request.address, message, values)
    if (repeat === true) response.setHeader('Idempotency-Replayed', 'true')
    sendJson(response, 201, { id, sentAt })
  }

  const sendTo = async (exchange: Exchange, target: Values) => {
    const { request } = exchange
    const fields = isJson(request) ? await objectOf(request) : { text: withoutLastBreak(await textOf(request)) }
    await send(exchange, { ...fields, ...target })
  }

  return [
    {
      method: 'POST',
      path: '/messages',
      scope: 'send',
      async run(exchange) {
        const fields = await objectOf(exchange.request)
        if ((fields.to === undefined) === (fields.group === undefined))
          throw new Refused('invalid_value', 'a message has `to` with a user, or `group`')
        await send(exchange, fields)
      },
    },
    {
      method: 'POST',
      path: '/to/:user',
      scope: 'send',
      run: (exchange) => sendTo(exchange, { to: exchange.parameters[0] }),
    },
    {
      method: 'POST',
      path: '/to/group/:group',
      scope: 'send',
      run: (exchange) => sendTo(exchange, { group: exchange.parameters[0] }),
    },
  ]
}

/** `echo done | curl --data-binary @-` ends the text with a line break. */
const withoutLastBreak = (text: string) => text.replace(/\r?\n$/, '')

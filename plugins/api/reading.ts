import type { App, ClientMessage } from '../../core/index.ts'
import type { Calls } from './calls.ts'
import { fromQuery, toJson } from './json.ts'
import type { Operation } from './operation.ts'
import { sendJson } from './problems.ts'

/** Requests that read, by path: the message, and the fields that the path holds. The rest is in the query. */
export const READING: readonly (readonly [path: string, message: string, ...fields: string[]])[] = [
  ['/inbox', 'query_inbox'],
  ['/contacts', 'query_contacts'],
  ['/search', 'search_messages'],
  ['/groups', 'query_rooms'],
  ['/groups/:group/members', 'query_room_users', 'group'],
  ['/history/:user', 'query_history', 'with'],
  ['/history/group/:group', 'query_room_history', 'group'],
]

/** Operations of the features that this server has. */
export function readingOperations(app: App, calls: Calls): Operation[] {
  return READING.flatMap(([path, name, ...fields]): Operation[] => {
    const message = app.catalogue.byName(name)
    return message?.from === 'client' ? [reading(calls, path, message, fields)] : []
  })
}

const reading = (calls: Calls, path: string, message: ClientMessage, fields: readonly string[]): Operation => ({
  method: 'GET',
  path,
  scope: 'read',
  async run({ request, response, access, parameters }) {
    const given = Object.fromEntries(fields.map((field, index) => [field, parameters[index]]))
    const values = fromQuery(message, request.query, given)
    const reply = await calls.perform(access, request.address, message, values)
    sendJson(response, 200, toJson(message.reply ?? { fields: {} }, reply))
  },
})

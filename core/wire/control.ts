import { FAILURE_MESSAGES, failureFields } from './failures.ts'
import { MAX_TEXT, optional, text } from './field.ts'
import { clientMessage, serverMessage } from './message.ts'

/** The messages of the protocol itself: every server has them, whatever plugins it runs. */

export const Done = serverMessage({
  type: 129,
  name: 'done',
  about: 'The request succeeded. Its reply has no fields.',
  fields: {},
})

export const Pong = serverMessage({ type: 190, name: 'pong', about: 'Reply to ping.', fields: {} })
export const Ping = clientMessage({
  type: 90,
  name: 'ping',
  about: 'Shows that the client is alive; answers keep_alive.',
  allow: 'any',
  fields: {},
  reply: Pong,
})
export const KeepAlive = serverMessage({
  type: 191,
  name: 'keep_alive',
  about: 'The client has been silent. It must send a message, for example ping, or the connection is closed.',
  fields: {},
})
export const Closing = serverMessage({
  type: 192,
  name: 'closing',
  about:
    'The last message of the server before it closes the connection, with the reason. A connection that ends without it was cut.',
  fields: failureFields,
})

export const Protocol = serverMessage({
  type: 193,
  name: 'protocol',
  about: 'All message types of this server, including those of its plugins, and its limits.',
  fields: {
    json: text('JSON array of definitions, as `chatctl protocol -o json` prints it', { max: MAX_TEXT }),
    limits: optional(
      text('JSON object of the limits in force, by name as in the configuration', { max: MAX_TEXT }),
      '{}',
    ),
  },
})
export const QueryProtocol = clientMessage({
  type: 91,
  name: 'query_protocol',
  about: 'Requests the definitions of all message types.',
  allow: 'any',
  fields: {},
  reply: Protocol,
})
export const Status = serverMessage({
  type: 194,
  name: 'status',
  about: 'Status of the server.',
  fields: {
    json: text(
      'JSON object: uptime, connections, users, plugins and the reports of plugins; in a cluster `cluster`: `node`, `nodes` with their figures, and the `silent` ones, which did not answer',
      { max: MAX_TEXT },
    ),
  },
})
export const QueryStatus = clientMessage({
  type: 92,
  name: 'query_status',
  about: 'Requests the status of the server.',
  allow: 'admin',
  fields: {},
  reply: Status,
})

export const PluginList = serverMessage({
  type: 157,
  name: 'plugin_list',
  about: 'The plugins of this server, in the order of their start.',
  fields: {
    json: text('JSON array of objects, as `chatctl plugin list -o json` prints it', { max: MAX_TEXT }),
  },
})
export const QueryPlugins = clientMessage({
  type: 43,
  name: 'query_plugins',
  about: 'Requests all plugins: their messages, handlers, hooks, listeners and health.',
  allow: 'admin',
  fields: {},
  reply: PluginList,
})

export const CONTROL_MESSAGES = [
  ...FAILURE_MESSAGES,
  Done,
  Ping,
  Pong,
  QueryProtocol,
  Protocol,
  QueryStatus,
  Status,
  QueryPlugins,
  PluginList,
  KeepAlive,
  Closing,
] as const

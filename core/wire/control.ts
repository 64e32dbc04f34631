import { FAILURE_MESSAGES, failureFields } from './failures.ts'
import { MAX_TEXT, optional, text } from './field.ts'
import { clientMessage, serverMessage } from './message.ts'

/** The messages of the protocol itself: every server has them, whatever plugins it runs. */

export const Done = serverMessage({
  type: 129,
  name: 'done',
  about: 'The request was carried out; there is nothing more to say.',
  fields: {},
})

export const Pong = serverMessage({ type: 190, name: 'pong', about: 'Answer to ping.', fields: {} })
export const Ping = clientMessage({
  type: 90,
  name: 'ping',
  about: 'Shows that the peer lives; answers keep_alive.',
  allow: 'any',
  fields: {},
  reply: Pong,
})
export const KeepAlive = serverMessage({
  type: 191,
  name: 'keep_alive',
  about: 'Nothing came from the client for a while: it sends anything, for example ping, or is closed.',
  fields: {},
})
export const Closing = serverMessage({
  type: 192,
  name: 'closing',
  about:
    'The last message before the server closes the connection, and why. A connection that ends without it was cut.',
  fields: failureFields,
})

export const Protocol = serverMessage({
  type: 193,
  name: 'protocol',
  about: 'All message types of this server, those of its plugins included, and its limits.',
  fields: {
    json: text('array of definitions, as `chatctl protocol -o json` prints it', { max: MAX_TEXT }),
    limits: optional(
      text('object of the limits in force, by their names in the configuration', { max: MAX_TEXT }),
      '{}',
    ),
  },
})
export const QueryProtocol = clientMessage({
  type: 91,
  name: 'query_protocol',
  about: 'Asks for the definitions of all message types.',
  allow: 'any',
  fields: {},
  reply: Protocol,
})
export const Status = serverMessage({
  type: 194,
  name: 'status',
  about: 'How the server does.',
  fields: { json: text('object: uptime, connections, users, plugins and what plugins report', { max: MAX_TEXT }) },
})
export const QueryStatus = clientMessage({
  type: 92,
  name: 'query_status',
  about: 'Asks how the server does.',
  allow: 'admin',
  fields: {},
  reply: Status,
})

export const PluginList = serverMessage({
  type: 157,
  name: 'plugin_list',
  about: 'The plugins of this server, in the order in which they started.',
  fields: {
    json: text('array of objects, as `chatctl plugin list -o json` prints it', { max: MAX_TEXT }),
  },
})
export const QueryPlugins = clientMessage({
  type: 43,
  name: 'query_plugins',
  about: 'Asks for all plugins: what each brings, handles, checks, listens to, and whether it is well.',
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

import { line, MAX_TEXT, optional, text, uint16, uint32 } from './field.ts'
import { clientMessage, serverMessage } from './message.ts'

/** The messages of the protocol itself: every server has them, whatever plugins it runs. */

const failure = {
  code: uint16('number of the failure, see the table of failures; 0 for one that a plugin named itself'),
  name: line('name of the failure, for programs', { max: 64 }),
  text: line('one line for people', { max: 512 }),
  retryAfter: uint32('milliseconds to wait before the same request may succeed; 0 if no such time is known'),
}

export const LoginFailed = serverMessage({
  type: 201,
  name: 'login_failed',
  about: 'The login was refused.',
  fields: failure,
})
export const UsernameTaken = serverMessage({
  type: 202,
  name: 'username_taken',
  about: 'The user name is in use.',
  fields: failure,
})
export const GeneralFailure = serverMessage({
  type: 203,
  name: 'general_failure',
  about: 'The request was refused or failed; nothing was changed.',
  fields: failure,
})
export const UserNotExist = serverMessage({
  type: 205,
  name: 'user_not_exist',
  about: 'The named user does not exist.',
  fields: failure,
})
export const FAILURE_MESSAGES = [LoginFailed, UsernameTaken, GeneralFailure, UserNotExist] as const

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
  fields: failure,
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

interface FailureEntry {
  readonly code: number
  readonly message: (typeof FAILURE_MESSAGES)[number]
  readonly text: string
}

const entry = (code: number, text: string, message: FailureEntry['message'] = GeneralFailure): FailureEntry => ({
  code,
  message,
  text,
})

/** The closed list of failures: a client matches on the name or the code, never on the text. */
export const FAILURES = {
  protocol_error: entry(1, 'the message breaks the protocol'),
  unknown_type: entry(2, 'this server has no such message type'),
  login_required: entry(3, 'log in first'),
  not_allowed: entry(4, 'this connection may not send that message'),
  invalid_value: entry(5, 'a value is outside its limits'),
  too_large: entry(6, 'the message is larger than this server takes'),
  rate_limited: entry(7, 'too many messages; slow down'),
  timed_out: entry(8, 'the peer took too long'),
  shutting_down: entry(10, 'the server is stopping'),
  internal: entry(11, 'the server failed; the request may be sent again'),
  unavailable: entry(12, 'the server cannot store anything now'),
  logged_out: entry(13, 'the session has ended'),
  kicked: entry(14, 'an admin ended the session'),
  login_failed: entry(20, 'wrong name or password', LoginFailed),
  account_disabled: entry(21, 'the account is disabled', LoginFailed),
  too_many_attempts: entry(22, 'too many failed logins', LoginFailed),
  too_many_sessions: entry(23, 'too many sessions of this user', LoginFailed),
  binding_required: entry(24, 'the login must be bound to the handshake', LoginFailed),
  username_taken: entry(30, 'the user name is taken', UsernameTaken),
  invalid_name: entry(31, 'the name is not allowed'),
  registration_closed: entry(32, 'this server takes no registrations'),
  no_salt: entry(33, 'ask for a salt with new_salt first'),
  user_not_exist: entry(40, 'there is no such user', UserNotExist),
  yourself: entry(50, 'that is yourself'),
  already_friends: entry(51, 'you are friends already'),
  already_requested: entry(52, 'you have asked already; wait for the answer'),
  blocked: entry(53, 'this user takes nothing from you'),
  no_request: entry(54, 'there is no request of that user'),
  not_friends: entry(55, 'you are not friends'),
  too_many: entry(57, 'there are too many of these already'),
  group_not_exist: entry(60, 'there is no such group'),
  not_member: entry(61, 'not a member of that group'),
  already_member: entry(62, 'a member of that group already'),
  group_exists: entry(63, 'the group name is taken'),
  not_invited: entry(64, 'that group takes only who is invited'),
  owner_must_stay: entry(65, 'the owner hands the group over or dissolves it first'),
  role_too_low: entry(66, 'your role in that group does not allow it'),
  not_blocked: entry(56, 'you have not blocked this user'),
  client_id_reused: entry(41, 'another message was sent with this client id'),
  no_message: entry(42, 'there is no such message of yours'),
  key_reused: entry(43, 'another request was made with this key'),
  outcome_unknown: entry(44, 'the server stopped while it carried this out: whether it was done is not known'),
  no_consumer: entry(45, 'there is no such consumer'),
  no_scheduled: entry(46, 'there is no such message of yours that waits for its time'),
  bot_loop: entry(67, 'bots have answered each other too often'),
} as const satisfies Record<string, FailureEntry>

export type FailureName = keyof typeof FAILURES

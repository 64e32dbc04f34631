import { line, uint16, uint32 } from './field.ts'
import { type ServerMessage, serverMessage } from './message.ts'

/** Fields of every message that reports a failure. */
export const failureFields = {
  code: uint16('number of the failure, see the table of failures; 0 for a failure of an external plugin'),
  name: line('name of the failure, for programs', { max: 64 }),
  text: line('description for people, one line', { max: 512 }),
  retryAfter: uint32('milliseconds after which the same request may succeed; 0: unknown'),
}

export const LoginFailed = serverMessage({
  type: 201,
  name: 'login_failed',
  about: 'The login was refused.',
  fields: failureFields,
})
export const UsernameTaken = serverMessage({
  type: 202,
  name: 'username_taken',
  about: 'The user name is in use.',
  fields: failureFields,
})
export const GeneralFailure = serverMessage({
  type: 203,
  name: 'general_failure',
  about: 'The request was refused or failed. Nothing was changed.',
  fields: failureFields,
})
export const UserNotExist = serverMessage({
  type: 205,
  name: 'user_not_exist',
  about: 'The named user does not exist.',
  fields: failureFields,
})
/** The types by which a client distinguishes failures from replies. A plugin adds failures, never such a type. */
export const FAILURE_MESSAGES = [LoginFailed, UsernameTaken, GeneralFailure, UserNotExist] as const

/** One reason for which a request is refused or a session closed. */
export interface FailureDefinition<Name extends string = string> {
  /** Key for programs: `snake_case`, or `plugin.reason` for a plugin that does not come with the server. */
  readonly name: Name
  /** Unique number on the wire; 0 for `plugin.reason`. */
  readonly code: number
  /** Default text for people, one line; a refusal may replace it. */
  readonly text: string
  /** The message type in which it travels. */
  readonly message: ServerMessage<typeof failureFields>
}

interface FailureInput {
  readonly code: number
  readonly text: string
  /** `general_failure` if left out. */
  readonly message?: FailureDefinition['message']
}

type Named<T> = { readonly [K in keyof T & string]: FailureDefinition<K> }

/** Defines failures of the server itself or of a built-in plugin, by name. */
export const defineFailures = <const T extends { readonly [name: string]: FailureInput }>(failures: T): Named<T> =>
  Object.fromEntries(
    Object.entries(failures).map(([name, failure]) => [name, { message: GeneralFailure, ...failure, name }]),
  ) as unknown as Named<T>

type OfPlugin<P extends string, T> = { readonly [K in keyof T & string]: FailureDefinition<`${P}.${K}`> }

/**
 * Defines failures of a plugin that does not come with the server.
 * @param plugin name of the plugin: the failure `reason` is called `plugin.reason`
 * @param texts one line for people, by reason
 */
export const pluginFailures = <const P extends string, const T extends { readonly [reason: string]: string }>(
  plugin: P,
  texts: T,
): OfPlugin<P, T> =>
  Object.fromEntries(
    Object.entries(texts).map(([reason, text]) => [reason, unlistedFailure(`${plugin}.${reason}`, text)]),
  ) as unknown as OfPlugin<P, T>

/** A failure that has no number. */
export const unlistedFailure = (name: string, text = name): FailureDefinition => ({
  name,
  code: 0,
  text,
  message: GeneralFailure,
})

/** Failures of the server, which any plugin may raise too. Clients match on name or code, not on text. */
export const FAILURES = defineFailures({
  protocol_error: { code: 1, text: 'the message violates the protocol' },
  unknown_type: { code: 2, text: 'the server does not know this message type' },
  login_required: { code: 3, text: 'this request requires a login' },
  not_allowed: { code: 4, text: 'this connection may not send this message type' },
  invalid_value: { code: 5, text: 'a value is outside its limits' },
  too_large: { code: 6, text: 'the message or text is too long' },
  rate_limited: { code: 7, text: 'too many requests; retry later' },
  timed_out: { code: 8, text: 'the client did not respond in time' },
  shutting_down: { code: 10, text: 'the server is stopping' },
  internal: { code: 11, text: 'internal error of the server; the request may be retried' },
  unavailable: { code: 12, text: 'the database is unavailable; retry later' },
  logged_out: { code: 13, text: 'the session has ended' },
  kicked: { code: 14, text: 'an admin ended the session' },
  login_failed: { code: 20, text: 'wrong name or password', message: LoginFailed },
  account_disabled: { code: 21, text: 'the account is disabled', message: LoginFailed },
  too_many_sessions: { code: 23, text: 'the user has too many open sessions', message: LoginFailed },
  too_many: { code: 57, text: 'the limit for this kind of entry is reached' },
})

export type FailureName = keyof typeof FAILURES

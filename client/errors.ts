import { isTransientFailure } from '../core/wire/index.ts'
import type { BuiltInFailureName } from '../plugins/built-in-failures.ts'

/**
 * Error codes for programs. `unreachable`: no server listens at the address. `key_changed`: the server's key is not the
 * pinned one. `weak_server`: the server requests too few iterations for a password. `authentication`: the server failed
 * to prove that it knows the account, or there is no password. `refused`: the server refused the request. `timed_out`,
 * `aborted`: the caller's time limit or signal. `lost`: the connection ended before the reply. `protocol`: the peer
 * violates the protocol. `closed`: the client was closed.
 */
export type ClientErrorCode =
  | 'unreachable'
  | 'key_changed'
  | 'weak_server'
  | 'authentication'
  | 'refused'
  | 'timed_out'
  | 'aborted'
  | 'lost'
  | 'protocol'
  | 'closed'

export class ClientError extends Error {
  readonly code: ClientErrorCode

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClientError'
    this.code = code
  }
}

/** Name of a failure: a built-in one, listed for completion in editors, or one of a plugin. */
export type Failure = BuiltInFailureName | (string & Record<never, never>)

/** The server refused a request, or closed the connection with a reason. */
export class RefusedByServer extends ClientError {
  /** Name of the failure, see docs/PROTOCOL.md. */
  readonly failure: Failure
  /** Milliseconds after which the same request may succeed; 0 if waiting does not help. */
  readonly retryAfter: number

  constructor({ name, text, retryAfter }: { name: string; text: string; retryAfter: number }) {
    super('refused', text)
    this.name = 'RefusedByServer'
    this.failure = name
    this.retryAfter = retryAfter
  }
}

/** Error for an aborted signal: `timed_out` for a time limit, otherwise `aborted`. */
export function abortedBy(signal: AbortSignal, what: string): ClientError {
  const timedOut = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
  return timedOut ? new ClientError('timed_out', `${what} in time`) : new ClientError('aborted', 'stopped')
}

/** Closing reasons after which a client does not reconnect: deliberate, or certain to recur. */
const FINAL_REASONS = ['logged_out', 'kicked', 'account_disabled', 'protocol_error', 'too_large']
/** Permanent refusals of a login. */
const FINAL_REFUSALS = ['login_failed', 'account_disabled', 'user_not_exist']

/** True if a client must not reconnect after the server closed its connection. */
export const isFinalClosing = ({ failure }: RefusedByServer): boolean => FINAL_REASONS.includes(failure)

/** Permanent errors of a reconnect: another key, or a login that cannot succeed any more. */
export function isFinalError(error: unknown): boolean {
  if (!(error instanceof ClientError)) return true
  if (error instanceof RefusedByServer) return FINAL_REFUSALS.includes(error.failure)
  return ['key_changed', 'weak_server', 'authentication', 'aborted'].includes(error.code)
}

const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 30_000
/** Longest `retryAfter` of a server that is honoured. */
const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * Milliseconds to wait before a refused request is retried; undefined for a permanent refusal.
 * @param failures refusals of the request before this one
 */
export function retryDelay({ failure, retryAfter }: RefusedByServer, failures: number): number | undefined {
  if (retryAfter === 0 && !isTransientFailure(failure)) return undefined
  // Capped, because a timer of more than 24 days fires at once.
  return Math.max(Math.min(retryAfter, MAX_RETRY_AFTER_MS), Math.min(FIRST_BACKOFF_MS * 2 ** failures, MAX_BACKOFF_MS))
}

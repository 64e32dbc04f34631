import type { FailureName } from '../core/wire/index.ts'

/**
 * Whose fault it is, for programs. `unreachable`: nobody answers there. `key_changed`: not the server that was pinned.
 * `weak_server`: a server whose key is not known wants a password with too few iterations. `authentication`: the server
 * could not prove that it knows the account, or the password is missing. `refused`: the server said no. `timed_out`,
 * `aborted`: the caller's limit. `lost`: the connection ended before the answer. `protocol`: the peer does not speak this
 * protocol. `closed`: the client was closed.
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

/** Name of a failure: those of the server itself, for an editor to complete, or one that a plugin named. */
export type Failure = FailureName | (string & Record<never, never>)

/** The server refused a request, or closed the connection and said why. */
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

/** What a caller's signal means: its own time limit, or a wish to stop. */
export function abortedBy(signal: AbortSignal, what: string): ClientError {
  const timedOut = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
  return timedOut ? new ClientError('timed_out', `${what} in time`) : new ClientError('aborted', 'stopped')
}

/** Failures of the server's circumstances, not of the request: the same request may succeed later. */
const TRANSIENT: readonly Failure[] = ['unavailable', 'rate_limited', 'internal', 'shutting_down']
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 30_000
/** Longest pause that a server may ask for. */
const LONGEST_PAUSE_MS = 3_600_000

/**
 * Milliseconds to wait before the same request is made again; undefined for a refusal that waiting does not change.
 * @param failures how often it was refused before
 */
export function pauseAfter({ failure, retryAfter }: RefusedByServer, failures: number): number | undefined {
  if (retryAfter === 0 && !TRANSIENT.includes(failure)) return undefined
  // A timer takes no more than 24 days, and fires at once beyond that.
  return Math.max(Math.min(retryAfter, LONGEST_PAUSE_MS), Math.min(FIRST_PAUSE_MS * 2 ** failures, LAST_PAUSE_MS))
}

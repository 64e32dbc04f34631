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

/** The server refused a request, or closed the connection and said why. */
export class RefusedByServer extends ClientError {
  /** Name of the failure, see docs/PROTOCOL.md. */
  readonly failure: string
  /** Milliseconds after which the same request may succeed; 0 if waiting does not help. */
  readonly retryAfter: number

  constructor({ name, text, retryAfter }: { name: string; text: string; retryAfter: number }) {
    super('refused', text)
    this.name = 'RefusedByServer'
    this.failure = name
    this.retryAfter = retryAfter
  }
}

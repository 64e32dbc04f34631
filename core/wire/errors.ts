/**
 * Cause of a decoding or encoding failure.
 * `format`: the format string does not match the definition. `length`: bytes and lengths disagree.
 * `oversized`: beyond the receiver's limits. `value`: well formed, but outside the field's limits.
 */
export type WireErrorCode = 'format' | 'length' | 'oversized' | 'value'

/** Thrown by the codec. `field` is the path of the field concerned, for the message text. */
export class WireError extends Error {
  readonly code: WireErrorCode
  readonly field: string | undefined

  constructor(code: WireErrorCode, message: string, field?: string) {
    super(field === undefined ? message : `${field}: ${message}`)
    this.name = 'WireError'
    this.code = code
    this.field = field
  }
}

/** Names the field in an error of its value. */
export function withField(error: unknown, path: string): unknown {
  return error instanceof WireError && error.field === undefined
    ? new WireError(error.code, error.message, path)
    : error
}

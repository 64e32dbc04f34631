/**
 * What is wrong with bytes or values of the message layers.
 * `format`: the format string does not fit the definition. `length`: bytes and lengths disagree.
 * `oversized`: more than the receiver takes. `value`: well formed, but outside the field's limits.
 */
export type WireErrorCode = 'format' | 'length' | 'oversized' | 'value'

/** Thrown by the codec; `field` names the field for people where there is one. */
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

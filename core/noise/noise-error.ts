/**
 * Cause of a failure:
 * - `decrypt`: the tag does not match: changed, replayed, reordered, another key or another handshake.
 * - `length`: a message, record or declared length is too short or too long.
 * - `key`: a key of the wrong length, or a public key of low order.
 * - `state`: a handshake step out of turn, or without the key that its pattern needs: a bug of the caller.
 * - `exhausted`: the key has encrypted MAX_RECORDS records; a new connection has a new key.
 * - `magic`: the peer does not speak this protocol or version.
 */
export type NoiseErrorCode = 'decrypt' | 'length' | 'key' | 'state' | 'exhausted' | 'magic'

/**
 * Failure of the encryption layer. Close the connection and send nothing. The message only repeats the code and has no
 * cause, so that it cannot leak how far a forged message was processed (spec section 5).
 */
export class NoiseError extends Error {
  override readonly name = 'NoiseError'
  readonly code: NoiseErrorCode

  constructor(code: NoiseErrorCode) {
    super(`noise: ${code}`)
    this.code = code
  }
}

/**
 * What went wrong, as far as anyone needs to know:
 * - `decrypt`: the tag does not match: changed, replayed, reordered, another key or another handshake.
 * - `length`: a message, record or declared length is too short or too long.
 * - `key`: a key of the wrong length, or a public key of low order.
 * - `state`: a handshake step out of turn, or without the key that its pattern needs. The caller's mistake.
 * - `exhausted`: the key has served its number of records; a new connection makes a new one.
 * - `magic`: the peer does not speak this protocol or version.
 */
export type NoiseErrorCode = 'decrypt' | 'length' | 'key' | 'state' | 'exhausted' | 'magic'

/**
 * Any failure of the encryption layer. Close the connection and send nothing: the text repeats the code and the error
 * of node:crypto is not kept, so that nothing can leak how far a forged message came (spec section 5).
 */
export class NoiseError extends Error {
  override readonly name = 'NoiseError'
  readonly code: NoiseErrorCode

  constructor(code: NoiseErrorCode) {
    super(`noise: ${code}`)
    this.code = code
  }
}

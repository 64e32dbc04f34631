/**
 * Why a SCRAM step was refused:
 * - `malformed`: violates the grammar of RFC 5802 §7 or a size limit, or has a mandatory extension
 * - `binding`: not bound to this Noise handshake; the binding of another handshake indicates a man in the middle
 * - `nonce`: not the nonce of this login: a replay, or the answer to another challenge
 * - `iterations`: an iteration count outside the limits
 * - `proof`: the server refused the login (`e=`): wrong name or password
 * - `signature`: the server does not know the account's verifier, so it is an impostor
 * - `password`: the password cannot be normalised
 */
export type ScramErrorCode = 'malformed' | 'binding' | 'nonce' | 'iterations' | 'proof' | 'signature' | 'password'

/** The only error this module throws. Match on `code`; the message is for logs and never quotes the peer or a secret. */
export class ScramError extends Error {
  override readonly name = 'ScramError'
  readonly code: ScramErrorCode

  constructor(code: ScramErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

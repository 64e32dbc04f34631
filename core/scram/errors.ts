/**
 * Why a SCRAM step was refused:
 * - `malformed`: not a text of RFC 5802 §7, an unusable size, or an extension that must not be ignored
 * - `binding`: not bound to this Noise handshake; when a client sent the binding of another one, a man in the middle
 * - `nonce`: not the nonce of this login, so a replay or a mix-up
 * - `iterations`: an iteration count outside the limits
 * - `proof`: the server refused the login (`e=`): wrong name or password
 * - `signature`: the server does not know the password's verifier, so it is not the server it claims to be
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

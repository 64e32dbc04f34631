import { Buffer } from '#platform/runtime'
import { ScramError } from './errors.ts'
import { hmac, type Verifier, type VerifierShape } from './keys.ts'
import { authMessage, proofMatches, serverSignature } from './proof.ts'
import {
  channelBinding,
  checkNonce,
  checkText,
  createNonce,
  GS2_HEADER,
  malformed,
  readAttributes,
  readHash,
  unescapeName,
} from './text.ts'

/** Most characters of a client's nonce, which server-first-message repeats: that message is limited too. */
export const MAX_NONCE_LENGTH = 256

/** Content of a client-first-message. */
export interface ClientFirst {
  /** Name as sent, unescaped. The caller checks which names are allowed, and their case. */
  user: string
  clientNonce: string
  /** client-first-message-bare: the text after the gs2-header, which the proof covers. */
  bare: string
}

/** A login that waits for the client's proof. Valid for one answer: discard it afterwards, right or wrong. */
export interface Challenge {
  /** To send: server-first-message. */
  serverFirst: string
  /** Client nonce followed by server nonce. */
  nonce: string
  clientFirstBare: string
  verifier: Verifier
}

/**
 * Reads client-first-message.
 *
 * @throws ScramError `binding` for a login that is not bound to a Noise handshake (`n`, `y`, or another `p=`), which a man
 *   in the middle could relay. `malformed` for everything else, an authzid included.
 */
export function readClientFirst(text: string): ClientFirst {
  if (!checkText(text).startsWith(GS2_HEADER)) throw refusedHeader(text)
  const bare = text.slice(GS2_HEADER.length)
  const { n, r } = readAttributes(bare, 'n', 'r')
  if (r.length > MAX_NONCE_LENGTH) throw malformed(`a nonce of ${r.length} characters`)
  return { user: unescapeName(n), clientNonce: checkNonce(r), bare }
}

function refusedHeader(text: string): ScramError {
  const [flag = ''] = text.split(',', 1)
  const unbound = flag === 'n' || flag === 'y' || /^p=[A-Za-z0-9.-]+$/.test(flag)
  if (unbound && !GS2_HEADER.startsWith(`${flag},`)) {
    return new ScramError('binding', 'the login is not bound to the Noise handshake')
  }
  return malformed(`does not begin with ${GS2_HEADER}`)
}

/**
 * Makes the challenge for a login.
 *
 * @param verifier of the account, or fakeVerifier when there is no such account
 * @param serverNonce fresh for each login; only tests pass one
 */
export function createChallenge(
  { bare, clientNonce }: ClientFirst,
  verifier: Verifier,
  serverNonce: string = createNonce(),
): Challenge {
  const nonce = clientNonce + checkNonce(serverNonce)
  const serverFirst = `r=${nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`
  return { serverFirst, nonce, clientFirstBare: bare, verifier }
}

/**
 * Checks client-final-message. Returns the server-final-message to send, or undefined when the proof is wrong: no such
 * user, wrong password, or a message changed in transit. A fake verifier takes the same steps.
 *
 * @param handshakeHash h of the Noise handshake that this login travels in, 32 bytes
 * @throws ScramError `malformed`, `nonce` (a replay), `binding` (made for another handshake: a man in the middle). For the
 *   log only: the client gets the same failure as for a wrong password.
 */
export function verifyClientFinal(
  { serverFirst, nonce, clientFirstBare, verifier }: Challenge,
  text: string,
  handshakeHash: Uint8Array,
): string | undefined {
  const { withoutProof, proof } = splitProof(checkText(text))
  const { c, r } = readAttributes(withoutProof, 'c', 'r')
  // Both values are known to the sender, so these comparisons need not be constant-time.
  if (r !== nonce) throw new ScramError('nonce', 'the client answered another challenge')
  if (c !== channelBinding(handshakeHash)) throw new ScramError('binding', 'the client is bound to another handshake')
  const message = authMessage(clientFirstBare, serverFirst, withoutProof)
  if (!proofMatches(proof, verifier.storedKey, message)) return undefined
  return `v=${serverSignature(verifier.serverKey, message).toString('base64')}`
}

/** Splits before `,p=`, which is the last attribute (RFC 5802 §7). */
function splitProof(text: string): { withoutProof: string; proof: Buffer } {
  const at = text.lastIndexOf(',p=')
  if (at < 0) throw malformed('no proof')
  return { withoutProof: text.slice(0, at), proof: readHash(text.slice(at + ',p='.length)) }
}

/**
 * Verifier for a name without an account, so that a challenge does not reveal whether the name exists. The salt is a
 * function of name and shape, and no password matches the keys. A name whose shape changes gets another salt, as an account
 * does with a new password. Make it for every login, before the account look-up, so that timing reveals nothing either.
 *
 * @param serverSecret at least 32 random bytes, constant for the life of the server
 * @param user name in the form under which accounts are looked up
 * @param shape a shape that existing accounts have; any other is distinguishable from theirs
 */
export function fakeVerifier(serverSecret: Uint8Array, user: string, shape: VerifierShape): Verifier {
  const { iterations, preHash, saltLength } = shape
  const derive = (use: string) => hmac(serverSecret, `${use}:${user}`)
  const about = `${iterations}:${saltLength}:${preHash}`
  const salt = Buffer.concat([derive(`salt:${about}`), derive(`salt, second half:${about}`)]).subarray(0, saltLength)
  return { salt, iterations, preHash, storedKey: derive('StoredKey'), serverKey: derive('ServerKey') }
}

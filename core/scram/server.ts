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

/** Characters of a client's nonce at most: it comes back in server-first-message, whose length is limited too. */
export const MAX_NONCE_LENGTH = 256

/** What a client-first-message says. */
export interface ClientFirst {
  /** The name as sent, unescaped: which names are allowed, and in which case, is the caller's matter. */
  user: string
  clientNonce: string
  /** client-first-message-bare: the text after the gs2-header, which the proof covers. */
  bare: string
}

/** A login that waits for the client's proof. Good for one answer: forget it after that, right or wrong. */
export interface Challenge {
  /** To send: server-first-message. */
  serverFirst: string
  /** Both ends' nonces, joined. */
  nonce: string
  clientFirstBare: string
  verifier: Verifier
}

/**
 * Reads client-first-message.
 *
 * @throws ScramError `binding` for a login that is not bound to a Noise handshake (`n`, `y`, or another `p=`): taking it
 *   would let a man in the middle pass the login on. `malformed` for everything else, an authzid included.
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
 * @param verifier the account's, or fakeVerifier when there is no such account
 * @param serverNonce fresh for each login; only tests give their own
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
 * Checks client-final-message and gives the server-final-message to send, or undefined when the proof is wrong: no such
 * user, wrong password, or a text that was changed on the way. The steps are the same for a fake verifier.
 *
 * @param handshakeHash h of the Noise handshake that this login travels in, 32 bytes
 * @throws ScramError `malformed`, `nonce` (a replay), `binding` (made for another handshake: a man in the middle). They
 *   are for the log: tell the client no more than for a wrong password.
 */
export function verifyClientFinal(
  { serverFirst, nonce, clientFirstBare, verifier }: Challenge,
  text: string,
  handshakeHash: Uint8Array,
): string | undefined {
  const { withoutProof, proof } = splitProof(checkText(text))
  const { c, r } = readAttributes(withoutProof, 'c', 'r')
  // Both values are known to whoever sent them, so these two comparisons may take any time.
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
 * A verifier for a name that has no account, so that asking for a name does not tell whether it exists: always the same
 * salt for the same name and shape, and keys that no password opens. A name whose shape changes gets another salt as
 * well, as it would with a new password. Make it for every login, before the account is looked up, and the time does
 * not tell either.
 *
 * @param serverSecret at least 32 random bytes that stay the same for the life of the server
 * @param user the name in the form under which accounts are looked up
 * @param shape one that accounts have; any other can be told from theirs
 */
export function fakeVerifier(serverSecret: Uint8Array, user: string, shape: VerifierShape): Verifier {
  const { iterations, preHash, saltLength } = shape
  const derive = (use: string) => hmac(serverSecret, `${use}:${user}`)
  const about = `${iterations}:${saltLength}:${preHash}`
  const salt = Buffer.concat([derive(`salt:${about}`), derive(`salt, second half:${about}`)]).subarray(0, saltLength)
  return { salt, iterations, preHash, storedKey: derive('StoredKey'), serverKey: derive('ServerKey') }
}

import { randomBytes } from '#platform/crypto'
import { Buffer } from '#platform/runtime'
import { ScramError } from './errors.ts'
import { HASH_LENGTH } from './keys.ts'

/** Longest message that is parsed, in UTF-16 code units; a longer one is `malformed`. Real ones have about 200. */
export const MAX_TEXT_LENGTH = 4_096

/** The only gs2-header in use (RFC 5802 §7): bound to the Noise handshake, no authzid. */
export const GS2_HEADER = 'p=noise-h,,'

/** Random bytes in a nonce: 144 bits, 24 characters of base64 without padding. */
const NONCE_BYTES = 18

/** The attributes of RFC 5802 §5.1. They have fixed positions; `m` marks a mandatory extension. */
const DEFINED_ATTRIBUTES = 'anmrcsipve'

/** Error for a violation of the syntax. */
export function malformed(problem: string): ScramError {
  return new ScramError('malformed', problem)
}

/**
 * Checks length and characters of any text before it is parsed; returns it.
 *
 * @throws ScramError `malformed` when longer than MAX_TEXT_LENGTH, or with a NUL or a lone surrogate
 */
export function checkText(text: string): string {
  if (text.length > MAX_TEXT_LENGTH) throw malformed(`longer than ${MAX_TEXT_LENGTH} characters`)
  // UTF-8 encodes every lone surrogate as U+FFFD: different texts would have the same HMAC.
  if (text.includes('\0') || /\p{Cs}/u.test(text)) throw malformed('a character that no value may contain')
  return text
}

/**
 * The values of the named attributes, which must come first, in this order. Optional extensions after them are ignored
 * (RFC 5802 §7).
 *
 * @throws ScramError `malformed`
 */
export function readAttributes<Name extends string>(text: string, ...names: Name[]): Record<Name, string> {
  const attributes = text.split(',').map(readAttribute)
  const values: Partial<Record<Name, string>> = {}
  for (const [i, name] of names.entries()) {
    const attribute = attributes[i]
    if (attribute?.name !== name) throw malformed(`${name}= is missing or misplaced`)
    values[name] = attribute.value
  }
  for (const { name } of attributes.slice(names.length)) {
    if (DEFINED_ATTRIBUTES.includes(name)) throw malformed(`${name}= in place of an optional extension`)
  }
  return values as Record<Name, string>
}

/** attr-val of RFC 5802 §7: a letter, `=`, and at least one character. */
function readAttribute(text: string): { name: string; value: string } {
  if (!/^[A-Za-z]=./su.test(text)) throw malformed('not a list of attributes')
  return { name: text.slice(0, 1), value: text.slice(2) }
}

/**
 * Decodes strict base64, padded and canonical. Buffer's own decoder skips unknown characters, so one value would have many
 * spellings.
 *
 * @throws ScramError `malformed`
 */
export function readBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw malformed('not base64')
  return bytes
}

/** Like readBase64, for a proof or signature: exactly HASH_LENGTH bytes. */
export function readHash(text: string): Buffer {
  const bytes = readBase64(text)
  if (bytes.length !== HASH_LENGTH) throw malformed(`not ${HASH_LENGTH} bytes`)
  return bytes
}

/** A random nonce of one end. */
export function createNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64')
}

/** Checks a nonce: printable ASCII characters except the comma (RFC 5802 §7). @throws ScramError `malformed` */
export function checkNonce(nonce: string): string {
  if (!/^[!-+\--~]+$/.test(nonce)) throw malformed('not a nonce')
  return nonce
}

/** A user name as saslname (RFC 5802 §5.1): `=` and `,` escaped. */
export function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

/** The user name in a saslname (RFC 5802 §5.1). @throws ScramError `malformed` for an `=` outside `=2C` and `=3D` */
export function unescapeName(saslname: string): string {
  const [start = '', ...escaped] = saslname.split('=')
  return escaped.reduce((name, part) => {
    if (part.startsWith('2C')) return `${name},${part.slice(2)}`
    if (part.startsWith('3D')) return `${name}=${part.slice(2)}`
    throw malformed('an = in the user name that is not an escape')
  }, start)
}

/**
 * The `c=` value: base64 of gs2-header and cbind-data (RFC 5802 §6), here the Noise handshake hash h.
 *
 * @throws ScramError `binding` when h is not HASH_LENGTH bytes long: an empty one would not bind the login
 */
export function channelBinding(handshakeHash: Uint8Array): string {
  if (handshakeHash.length !== HASH_LENGTH) throw new ScramError('binding', 'no finished Noise handshake to bind to')
  return Buffer.concat([Buffer.from(GS2_HEADER), handshakeHash]).toString('base64')
}

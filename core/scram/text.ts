import { randomBytes } from 'node:crypto'
import { ScramError } from './errors.ts'
import { HASH_LENGTH } from './keys.ts'

/** Longest message that is looked at, in UTF-16 code units; a longer one is `malformed`. Honest ones have about 200. */
export const MAX_TEXT_LENGTH = 4_096

/** The only gs2-header in use (RFC 5802 §7): bound to the Noise handshake, no authzid. */
export const GS2_HEADER = 'p=noise-h,,'

/** Random bytes in a nonce of our own: 144 bits, 24 characters of base64 without padding. */
const NONCE_BYTES = 18

/** The attributes of RFC 5802 §5.1. They have fixed places, and `m` marks an extension that must not be ignored. */
const DEFINED_ATTRIBUTES = 'anmrcsipve'

/** The error for a text that breaks the syntax, with what is wrong. */
export function malformed(what: string): ScramError {
  return new ScramError('malformed', what)
}

/**
 * The first look at any text, before parsing; gives it back.
 *
 * @throws ScramError `malformed` when longer than MAX_TEXT_LENGTH, or with a NUL or half a surrogate pair in it
 */
export function checkText(text: string): string {
  if (text.length > MAX_TEXT_LENGTH) throw malformed(`longer than ${MAX_TEXT_LENGTH} characters`)
  // Half a surrogate pair has no UTF-8 form: two different texts would have the same HMAC.
  if (text.includes('\0') || /\p{Cs}/u.test(text)) throw malformed('a character that no value may hold')
  return text
}

/**
 * The values of the named attributes, which must be there, in this order, before anything else. Optional extensions may
 * follow and are ignored (RFC 5802 §7).
 *
 * @throws ScramError `malformed`
 */
export function readAttributes<Name extends string>(text: string, ...names: Name[]): Record<Name, string> {
  const attributes = text.split(',').map(readAttribute)
  const values: Partial<Record<Name, string>> = {}
  for (const [i, name] of names.entries()) {
    const attribute = attributes[i]
    if (attribute?.name !== name) throw malformed(`${name}= is missing or not in its place`)
    values[name] = attribute.value
  }
  for (const { name } of attributes.slice(names.length)) {
    if (DEFINED_ATTRIBUTES.includes(name)) throw malformed(`${name}= where only optional extensions may be`)
  }
  return values as Record<Name, string>
}

/** attr-val of RFC 5802 §7: a letter, `=`, and at least one character. */
function readAttribute(text: string): { name: string; value: string } {
  if (!/^[A-Za-z]=./su.test(text)) throw malformed('not a list of attributes')
  return { name: text.slice(0, 1), value: text.slice(2) }
}

/**
 * Strict base64, padded and canonical. node:crypto's own decoder skips what it does not know, so that one value would
 * have many spellings.
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

/** A fresh random nonce, or one end's part of it. */
export function createNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64')
}

/** A nonce, which is one or more printable ASCII characters but no comma (RFC 5802 §7); throws `malformed` otherwise. */
export function checkNonce(nonce: string): string {
  if (!/^[!-+\--~]+$/.test(nonce)) throw malformed('not a nonce')
  return nonce
}

/** A user name as saslname (RFC 5802 §5.1): `=` and `,` escaped. */
export function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

/** The user name in a saslname. An `=` that is not part of `=2C` or `=3D` is `malformed`, as RFC 5802 §5.1 demands. */
export function unescapeName(saslname: string): string {
  const [start = '', ...escaped] = saslname.split('=')
  return escaped.reduce((name, part) => {
    if (part.startsWith('2C')) return `${name},${part.slice(2)}`
    if (part.startsWith('3D')) return `${name}=${part.slice(2)}`
    throw malformed('an = in the user name that escapes nothing')
  }, start)
}

/**
 * The `c=` value: base64 of gs2-header and cbind-data (RFC 5802 §6), here the Noise handshake hash h.
 *
 * @throws ScramError `binding` when h is not HASH_LENGTH bytes long: an empty one would bind to nothing
 */
export function channelBinding(handshakeHash: Uint8Array): string {
  if (handshakeHash.length !== HASH_LENGTH) throw new ScramError('binding', 'no finished Noise handshake to bind to')
  return Buffer.concat([Buffer.from(GS2_HEADER), handshakeHash]).toString('base64')
}

import { ScramError } from './errors.ts'

/** Longest password, in bytes of UTF-8 after normalisation. Longer ones are refused, never cut. */
export const MAX_PASSWORD_BYTES = 1_024

/**
 * Brings a password into the form that is hashed, so that it is the same on every keyboard: the OpaqueString profile of
 * RFC 8265 §4.2. Every non-ASCII space becomes U+0020, then NFC; case and width stay. (RFC 5802 named SASLprep, which
 * RFC 8265 replaces.)
 *
 * One deviation: unassigned and ignorable code points, which the profile also forbids, are let through. Which ones those
 * are depends on each end's Unicode version, and zero-width joiners are part of many emoji. The effect: a password made
 * with them may be refused by a stricter client.
 *
 * @throws ScramError `password` when it is empty, holds a control character or half a surrogate pair, or is longer than
 *   MAX_PASSWORD_BYTES
 */
export function normalizePassword(password: string): string {
  // A lone surrogate would turn into U+FFFD in UTF-8, and different passwords into the same one.
  if (/[\p{Cc}\p{Cs}]/u.test(password)) throw new ScramError('password', 'the password holds a control character')
  const normal = password.replace(/\p{Zs}/gu, ' ').normalize('NFC')
  if (normal === '') throw new ScramError('password', 'the password is empty')
  if (Buffer.byteLength(normal) > MAX_PASSWORD_BYTES) {
    throw new ScramError('password', `the password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  }
  return normal
}

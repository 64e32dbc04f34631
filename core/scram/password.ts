import { Buffer } from '#platform/runtime'
import { ScramError } from './errors.ts'

/** Longest password, in bytes of UTF-8 after normalisation. Longer ones are refused, never truncated. */
export const MAX_PASSWORD_BYTES = 1_024

/**
 * Normalises a password by the OpaqueString profile of RFC 8265 §4.2, so that it is the same on every keyboard: non-ASCII
 * spaces become U+0020, then NFC; case and width are preserved. (RFC 8265 replaces SASLprep, which RFC 5802 names.)
 *
 * Deviation: unassigned and ignorable code points, which the profile forbids, are allowed. The set depends on each end's
 * Unicode version, and zero-width joiners are part of many emoji. A stricter client may refuse such a password.
 *
 * @throws ScramError `password` when it is empty, contains a control character or a lone surrogate, or is longer than
 *   MAX_PASSWORD_BYTES
 */
export function normalizePassword(password: string): string {
  // UTF-8 encodes every lone surrogate as U+FFFD, which would make different passwords equal.
  if (/[\p{Cc}\p{Cs}]/u.test(password)) throw new ScramError('password', 'the password contains a control character')
  const normal = password.replace(/\p{Zs}/gu, ' ').normalize('NFC')
  if (normal === '') throw new ScramError('password', 'the password is empty')
  if (Buffer.byteLength(normal) > MAX_PASSWORD_BYTES) {
    throw new ScramError('password', `the password is longer than ${MAX_PASSWORD_BYTES} bytes`)
  }
  return normal
}

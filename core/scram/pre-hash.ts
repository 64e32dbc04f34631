import { createHash } from 'node:crypto'

/**
 * What a password goes through before its keys are derived, by name. Empty: only normalizePassword. `md5x10`: what
 * clients of the original chat room send in its place. It adds no secrecy, it only makes one password work for both.
 */
export const PRE_HASHES = ['', 'md5x10'] as const
export type PreHash = (typeof PRE_HASHES)[number]

export const isPreHash = (name: string): name is PreHash => PRE_HASHES.some((known) => known === name)

/**
 * The original's hash of a password: ten rounds of MD5, each over the hex digits before it (first the password) and a
 * fixed word. 32 lower-case hex digits. The text is taken as it was typed, since the original does not normalise it.
 */
export function md5x10(password: string): string {
  let digits = password
  for (let round = 0; round < 10; round++) digits = createHash('md5').update(`${digits}jeremyjone`).digest('hex')
  return digits
}

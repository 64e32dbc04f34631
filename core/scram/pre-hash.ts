import { md5Hex } from '#platform/crypto'

/**
 * Names of the transformations of a password before its keys are derived. Empty: normalizePassword only. `md5x10`: the
 * hash that clients of the original chat room send; it adds no security, but lets one password serve both clients.
 */
export const PRE_HASHES = ['', 'md5x10'] as const
export type PreHash = (typeof PRE_HASHES)[number]

/**
 * The original's password hash: ten rounds of MD5 over the previous hex digits (in round one, the password) and a fixed
 * word. Returns 32 lower-case hex digits. The password is not normalised, as in the original.
 */
export function md5x10(password: string): string {
  let digits = password
  for (let round = 0; round < 10; round++) digits = md5Hex(`${digits}jeremyjone`)
  return digits
}

import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Scanners for leaked secrets find tokens by the prefix, and tell them from other texts by the checksum. */
const PREFIX = 'chatctl_'
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_BITS = 256
/** Digits of base 62 for 256 bits, and for 32. */
const [SECRET_DIGITS, CHECKSUM_DIGITS] = [43, 6]
const SHAPE = new RegExp(`^${PREFIX}[${ALPHABET}]{${SECRET_DIGITS + CHECKSUM_DIGITS}}$`)

function toDigits(value: bigint, count: number): string {
  let digits = ''
  for (let rest = value; digits.length < count; rest /= 62n) digits = ALPHABET[Number(rest % 62n)] + digits
  return digits
}

const checksum = (text: string) => toDigits(BigInt(crc32(text)), CHECKSUM_DIGITS)

/** A new token. */
export function newToken(): string {
  const secret = toDigits(BigInt(`0x${randomBytes(SECRET_BITS / 8).toString('hex')}`), SECRET_DIGITS)
  return PREFIX + secret + checksum(PREFIX + secret)
}

/** Whether a text can be a token: a mistyped one costs no query. */
export const isToken = (text: string): boolean =>
  SHAPE.test(text) && text.endsWith(checksum(text.slice(0, -CHECKSUM_DIGITS)))

/** The stored form of a token. Its 256 random bits need no salt and no slow hash. */
export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

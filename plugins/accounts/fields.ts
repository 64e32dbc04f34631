import { bytes, oneOf, optional } from '../../core/wire/index.ts'

/** Role of an account. */
export const role = (about: string) => oneOf(about, ['user', 'bot', 'admin'])

/** Name of the pre-hash of a password, as a trailing field; the names are those of PRE_HASHES in core/scram. */
export const preHash = (about: string) => optional(oneOf(about, ['', 'md5x10']), '')

/** One of the two keys of a SCRAM-SHA-256 verifier. */
export const scramKey = (about: string) => bytes(about, { min: 32, max: 32 })

import { randomBytes } from 'node:crypto'

/** Characters for the milliseconds since 1970 in base 36: enough until the year 5188. */
const TIME_DIGITS = 9

/**
 * A new client id for a message: 30 characters, the time first, then 80 random bits. Because later ones sort behind
 * earlier ones, whoever they are from, a database finds all recent ones in a few pages; with ids that are random from
 * the first character on, each message costs it a page of its own.
 */
export const newClientId = (): string =>
  `${Date.now().toString(36).padStart(TIME_DIGITS, '0')}-${randomBytes(10).toString('hex')}`

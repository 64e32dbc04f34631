import { randomBytes } from '#platform/crypto'

/** Base-36 digits of the milliseconds since 1970: enough until the year 5188. */
const TIME_DIGITS = 9

/**
 * A new client id of a message: 30 characters, the time, then 80 random bits. Recent ids of all clients are adjacent in the
 * index; fully random ones would touch a separate page per message.
 */
export const newClientId = (): string =>
  `${Date.now().toString(36).padStart(TIME_DIGITS, '0')}-${randomBytes(10).toString('hex')}`

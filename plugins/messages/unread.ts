import type { UserSession } from '../../core/index.ts'

/** Messages that a count of unread ones scans for one token of the user's rate. */
const MESSAGES_PER_TOKEN = 10_000

/** Charges a count of unread messages, in addition to the token of its request. */
export const chargeCount = (session: UserSession, scanned: number) =>
  session.charge(Math.floor(scanned / MESSAGES_PER_TOKEN))

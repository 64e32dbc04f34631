/** Messages in one query. */
export const MAX_IDS = 50
/** Different emoji on one message: with it the reply to a query fits into a packet. */
export const MAX_EMOJI = 20

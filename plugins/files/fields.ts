/** Content in one message at most. */
export const MAX_CHUNK = 128 * 1024
/** Bytes of a SHA-256. */
export const HASH_BYTES = 32
/** Files in one page of a list. */
export const MAX_LIST = 100

import type { Transport } from './transport.ts'

/** The transport of a session without a peer: never writable, and whatever is pushed is dropped. */
export const DETACHED: Transport = {
  queued: Number.POSITIVE_INFINITY,
  start() {},
  push() {},
  end() {},
}

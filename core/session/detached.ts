import type { Transport } from './transport.ts'

/** The transport of a detached session for requests of a peer: their replies are taken at once, pushes are dropped. */
export const REMOTE: Transport = {
  queued: 0,
  start() {},
  push() {},
  end() {},
}

/** The transport of a detached session: never writable, drops all pushes. */
export const DETACHED: Transport = {
  queued: Number.POSITIVE_INFINITY,
  start() {},
  push() {},
  end() {},
}

import type { Transport } from './transport.ts'

/** The transport of a detached session: never writable, drops all pushes. */
export const DETACHED: Transport = {
  queued: Number.POSITIVE_INFINITY,
  start() {},
  push() {},
  end() {},
}

import type { RefusedByServer } from '../../client/errors.ts'

/**
 * The refusal of a server; undefined for any other error. By the name of its class: a bot may bring its own copy of the
 * client library, and a command that fails early need not load one.
 */
export const refusalOf = (error: unknown): RefusedByServer | undefined =>
  error instanceof Error && error.name === 'RefusedByServer' ? (error as RefusedByServer) : undefined

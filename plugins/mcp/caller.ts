import type { ClientMessage, Clock, InputOf, ReplyOf } from '../../core/index.ts'

/** A user as an agent acts for it: over a connection, or within the server. */
export interface Caller {
  /** Name of the account. */
  readonly user: string
  readonly clock: Clock
  /** @throws an error with the name of a failure, see `failureOf` */
  request<M extends ClientMessage>(message: M, values: InputOf<M>): Promise<ReplyOf<M>>
  /** Calls back when the user may have a new message, until the returned function is called. */
  watch(onNews: () => void): Promise<() => void>
}

/** A refusal by this module. */
export class NotAllowed extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'NotAllowed'
    this.code = code
  }
}

/** Name of the failure of a tool call: of the server, or of the client library. Undefined for a fault. */
export function failureOf(error: unknown): string | undefined {
  const { name, failure, code } = error as { name?: string; failure?: string; code?: string }
  if (name === 'RefusedByServer') return failure
  return name === 'Refused' || name === 'ClientError' || name === 'NotAllowed' ? code : undefined
}

const TRANSIENT = ['lost', 'timed_out', 'unavailable', 'rate_limited', 'internal', 'shutting_down']

/** Whether the same call may succeed a little later, such as while the server restarts. */
export const isTransient = (error: unknown): boolean => TRANSIENT.includes(failureOf(error) ?? '')

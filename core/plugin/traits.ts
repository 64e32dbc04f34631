import type { Rating } from '../session/requests.ts'

/** How requests of one type are handled, see App.handle. */
export interface Traits {
  readonly rated: Rating
  readonly serial: boolean
  // biome-ignore lint/suspicious/noExplicitAny: typed at the door, App.handle
  readonly pipelined: boolean | ((values: any) => boolean)
}

/** Whether a request waits for its turn. */
export const isQueued = ({ pipelined }: Traits, values: Record<string, unknown>): boolean =>
  typeof pipelined === 'function' ? !pipelined(values) : !pipelined

import type { ValuesOf } from '../../core/index.ts'
import type { OnNewMessage } from './messages.ts'

/** A message as it travels. */
export type WireMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

/** A message with what delivery needs to know of it. */
export interface Deliverable {
  /** What is acknowledged together: one sender's messages, or a group's. */
  readonly conversation: string
  readonly message: WireMessage
}

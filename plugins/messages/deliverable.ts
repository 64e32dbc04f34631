import { Push, type ValuesOf } from '../../core/index.ts'
import { OnNewMessage } from './messages.ts'

/** A message as it travels: the text form of a stored message. */
export type WireMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

/** A message for delivery. */
export interface Deliverable {
  /** Key of the messages that are acknowledged together: those of one sender, or of a group. */
  readonly conversation: string
  readonly message: WireMessage
}

/** A message that was just stored, with its push to all sessions. */
export interface NewDeliverable extends Deliverable {
  readonly push: Push
}

/** The new text of a message. */
export interface Revision {
  readonly id: number
  readonly text: string
  /** Milliseconds since 1970 UTC. */
  readonly editedAt: number
}

/** The same message with a new text. */
export const revised = <D extends Deliverable>(deliverable: D, { text, editedAt }: Revision): D => ({
  ...deliverable,
  message: { ...deliverable.message, text, editedAt },
})

export const newDeliverable = (conversation: string, message: WireMessage): NewDeliverable => ({
  conversation,
  message,
  push: new Push(OnNewMessage, { messages: [message] }) as Push,
})

import type { UserSession } from '../../core/index.ts'
import type { TextForm } from '../../db/index.ts'

/** Target and recipients of a message. */
export interface Audience {
  /** Key of the messages that are acknowledged together: see Deliverable. */
  readonly conversation: string
  /** A user, or a group for `MSG_TYPE.group`. */
  readonly targetId: number
  readonly names: Pick<TextForm, 'from' | 'to' | 'group' | 'unread'>
  /** Users who can read it. */
  readonly recipients: readonly number[]
  /** One of them to whom it is not pushed as unread: the sender in a group. */
  readonly except: number | undefined
  /** The sender's session, which gets the reply in place of the push of an own message; undefined for the system. */
  readonly sentOn: UserSession | undefined
}

/** Key of what one user, or the system, writes to another. */
export const privateWith = (senderId: number) => `user ${senderId}`

interface Named {
  readonly id: number
  readonly name: string
}

/** The recipient of a private message. */
export const privateAudience = (from: Named, to: Named, sentOn: UserSession | undefined): Audience => ({
  conversation: privateWith(from.id),
  targetId: to.id,
  names: { from: from.name, to: to.name, group: '', unread: true },
  recipients: [to.id],
  except: undefined,
  sentOn,
})

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
  /** One of them to whom it is not pushed: the sender in a group. */
  readonly except: number | undefined
}

/** Key of what one user, or the system, writes to another. */
export const privateWith = (senderId: number) => `user ${senderId}`

interface Named {
  readonly id: number
  readonly name: string
}

/** The recipient of a private message. */
export const privateAudience = (from: Named, to: Named): Audience => ({
  conversation: privateWith(from.id),
  targetId: to.id,
  names: { from: from.name, to: to.name, group: '', unread: true },
  recipients: [to.id],
  except: undefined,
})

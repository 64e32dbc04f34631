import type { Audience } from './conversations.ts'

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

import { Refused, type UserSession } from '../../core/index.ts'
import { hasClientId, type MessageRow, MSG_TYPE } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import type { Parts } from './parts.ts'

/** The conversation that a reply is sent to. */
export interface ReplyTarget {
  /** A user, or with `isGroup` a group. */
  readonly targetId: number
  readonly isGroup: boolean
}

interface Reply extends ReplyTarget {
  /** Id of the answered message. */
  readonly replyTo: number
  readonly clientId: string
}

/** Checks that a reply and the message that it answers are in one conversation, and that its sender may read that one. */
export class Replies {
  readonly #parts: Pick<Parts, 'db' | 'conversations'>

  constructor(parts: Pick<Parts, 'db' | 'conversations'>) {
    this.#parts = parts
  }

  /** @throws Refused `no_message` */
  async check(session: UserSession, { replyTo, clientId, ...target }: Reply) {
    const { db, conversations } = this.#parts
    try {
      const row = await conversations.stored.readable(session, replyTo)
      if (!isIn(row, session.user.id, target)) throw new Refused(FAILURES.no_message)
    } catch (error) {
      if (!(error instanceof Refused) || clientId === '') throw error
      // A repeat of a stored reply gets the first answer, even if the answered message was recalled since [D-2].
      await conversations.postsSettled()
      if (!(await hasClientId(db, session.user.id, clientId))) throw error
    }
  }
}

function isIn({ msg_type, user_id, target_id }: MessageRow, userId: number, { targetId, isGroup }: ReplyTarget) {
  if (isGroup || msg_type === MSG_TYPE.group) return isGroup && msg_type === MSG_TYPE.group && target_id === targetId
  return (user_id === userId && target_id === targetId) || (user_id === targetId && target_id === userId)
}

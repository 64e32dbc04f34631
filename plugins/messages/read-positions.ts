import type { Logger } from 'pino'
import { ALONE, type App, Refused, type UserSession } from '../../core/index.ts'
import { type MessageWriter, OutcomePending } from '../../db/index.ts'
import type { Deliveries } from './deliveries.ts'
import { ConversationAcknowledged, ConversationChanged } from './events.ts'
import { ConversationRead } from './messages.ts'

/** An acknowledgement of a conversation up to a message. */
export interface Acknowledgement {
  /** See Deliverable. */
  readonly conversation: string
  /** The group, or the user whose messages were read. */
  readonly fromId: number
  readonly isGroup: boolean
  /** Name of that user; empty in a group. */
  readonly from: string
  /** Name of the group; empty in private. */
  readonly group: string
  readonly upTo: number
  /** A user to notify that the messages were read. */
  readonly receiptTo?: number | undefined
  /** False lets the commit wait a little for a message to share it with. */
  readonly isWaitedFor: boolean
}

/** Pause after which a request may be sent again that failed because of the database. */
export const RETRY_MS = 1000

export interface ReadPositionsParts {
  readonly app: App
  readonly log: Logger
  readonly writer: Pick<MessageWriter, 'markRead'>
  readonly deliveries: Deliveries
}

/** How far users have read their conversations. */
export class ReadPositions {
  readonly #parts: ReadPositionsParts

  constructor(parts: ReadPositionsParts) {
    this.#parts = parts
    const { app, deliveries } = parts
    if (app.cluster === ALONE) return
    app.on(ConversationAcknowledged, ({ userId, conversation, upTo }) =>
      deliveries.acknowledged(userId, conversation, upTo),
    )
  }

  /**
   * Acknowledges a conversation on all sessions of a user, and stores how far it is read [D-10]. If that moves the read
   * position, the user's other sessions and `receiptTo` are notified, even if it is stored only after this was refused.
   * @throws Refused `unavailable`
   */
  async acknowledge(session: UserSession, acknowledgement: Acknowledgement) {
    const { user } = session
    const { log, writer } = this.#parts
    const { conversation, fromId, isGroup, upTo, isWaitedFor } = acknowledgement
    // The client has the messages: there is room for more, whether or not the commit succeeds.
    this.#acknowledged(user.id, conversation, upTo)
    try {
      const hasMoved = await writer.markRead({ readerId: user.id, fromId, isGroup, upTo }, { isWaitedFor })
      if (hasMoved) this.#read(session, acknowledgement)
    } catch (error) {
      if (!(error instanceof OutcomePending)) throw error
      error.outcome.then(
        (hasMoved) => hasMoved && this.#read(session, acknowledgement),
        (failure) => log.warn({ err: failure }, 'cannot store a read position'),
      )
      throw new Refused('unavailable', undefined, { retryAfter: RETRY_MS })
    }
  }

  #acknowledged(userId: number, conversation: string, upTo: number) {
    const { app, deliveries } = this.#parts
    if (app.cluster === ALONE) deliveries.acknowledged(userId, conversation, upTo)
    // If this is lost, a window stays as it is until the session acknowledges what it has.
    else app.share(ConversationAcknowledged, { userId, conversation, upTo }, [userId])
  }

  #read(session: UserSession, { fromId, isGroup, from, group, upTo, receiptTo }: Acknowledgement) {
    const { user } = session
    const { app } = this.#parts
    if (isGroup) app.share(ConversationChanged, { groupId: fromId, userIds: [user.id] }, [user.id])
    else app.share(ConversationChanged, { between: [user.id, fromId] }, [user.id, fromId])
    const notice = { reader: user.name, from, group, upTo }
    app.users.send([user.id], ConversationRead, notice, { except: session, droppable: true })
    if (receiptTo !== undefined) app.users.send([receiptTo], ConversationRead, notice, { droppable: true })
  }
}

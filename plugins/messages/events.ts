import { type App, defineEvent } from '../../core/index.ts'
import { type MessageRow, MSG_TYPE } from '../../db/index.ts'

/** A conversation has a new message, a deleted one or a new read position: contact lists may show it differently. */
export const ConversationChanged = defineEvent<
  { readonly between: readonly [number, number] } | { readonly groupId: number; readonly userIds: readonly number[] }
>('messages.conversation_changed', { scope: 'cluster' })

/** A user has acknowledged a conversation up to an id: the windows of the user's sessions free up. */
export const ConversationAcknowledged = defineEvent<{
  readonly userId: number
  /** See Deliverable. */
  readonly conversation: string
  readonly upTo: number
}>('messages.conversation_acknowledged', { scope: 'cluster' })

/** @param readers users who can read the message */
export function emitChange(
  app: App,
  { user_id, target_id, msg_type }: Pick<MessageRow, 'user_id' | 'target_id' | 'msg_type'>,
  readers: readonly number[],
) {
  if (msg_type === MSG_TYPE.group) app.emit(ConversationChanged, { groupId: target_id, userIds: readers })
  else app.emit(ConversationChanged, { between: [user_id, target_id] })
}

/** Bots have answered each other too often, and the last answer was refused. Emitted once for each chain. */
export const BotLoop = defineEvent<{
  /** The refused bot and, if it is known, the other one. */
  readonly bots: readonly string[]
  /** Name of the group; empty in private. */
  readonly group: string
  readonly hops: number
}>('messages.bot_loop')

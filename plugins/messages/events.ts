import { type App, defineEvent } from '../../core/index.ts'
import { type MessageRow, MSG_TYPE } from '../../db/index.ts'

/** A conversation has a new message, a deleted one or a new read position: contact lists may show it differently. */
export const ConversationChanged = defineEvent<
  { readonly between: readonly [number, number] } | { readonly groupId: number; readonly userIds: readonly number[] }
>('messages.conversation_changed', { scope: 'cluster' })

/** @param readers users who can read the message */
export function emitChange(
  app: App,
  { user_id, target_id, msg_type }: Pick<MessageRow, 'user_id' | 'target_id' | 'msg_type'>,
  readers: readonly number[],
) {
  if (msg_type === MSG_TYPE.group) app.emit(ConversationChanged, { groupId: target_id, userIds: readers })
  else app.emit(ConversationChanged, { between: [user_id, target_id] })
}

/** A user has read a conversation up to a message: the windows of the user's sessions free up. */
export const ReadPositionMoved = defineEvent<{
  readonly userId: number
  /** See Deliverable. */
  readonly conversation: string
  /** The group, or the user whose messages were read. */
  readonly fromId: number
  readonly isGroup: boolean
  readonly upTo: number
}>('messages.read_position_moved', { scope: 'cluster' })

/** Bots have answered each other too often, and the last answer was refused. Emitted once for each chain. */
export const BotLoop = defineEvent<{
  /** The refused bot and, if it is known, the other one. */
  readonly bots: readonly string[]
  /** Name of the group; empty in private. */
  readonly group: string
  readonly hops: number
}>('messages.bot_loop')

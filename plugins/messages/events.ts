import { defineEvent } from '../../core/index.ts'

/** Something was said, read or taken back: what a contact list shows of the conversation may be different now. */
export const ConversationChanged = defineEvent<
  { readonly between: readonly [number, number] } | { readonly groupId: number; readonly userIds: Iterable<number> }
>('messages.conversation_changed')

/** Bots have answered each other too often, and the last answer was refused. Told once for each such chain. */
export const BotLoop = defineEvent<{
  /** The one that was refused and, where it is known, the other one. */
  readonly bots: readonly string[]
  /** Where; empty in private. */
  readonly group: string
  readonly hops: number
}>('messages.bot_loop')

import { defineEvent } from '../../core/index.ts'

/** Something was said, read or taken back: what a contact list shows of the conversation may be different now. */
export const ConversationChanged = defineEvent<
  { readonly between: readonly [number, number] } | { readonly groupId: number; readonly userIds: Iterable<number> }
>('messages.conversation_changed')

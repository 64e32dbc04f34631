import type { ChatMessage } from '../client/index.ts'
import type { Recipient } from './effects.ts'

/** Key of a message's conversation, as the bot sees it. */
export const chatOf = ({ from, group }: Pick<ChatMessage, 'from' | 'group'>): string =>
  group === undefined ? `user ${from}` : `group ${group}`

/** Key of the conversation with a recipient. */
export const chatWith = (to: Recipient): string => (typeof to === 'string' ? `user ${to}` : `group ${to.group}`)

/** Key of the queue that a chat is handled in: chat names ignore case. */
export const laneOf = (chat: string): string => chat.toLowerCase()

import type { ChatMessage } from '../client/index.ts'
import type { Recipient } from './effects.ts'

/** Key of the conversation that a message belongs to, as the bot sees it. */
export const chatOf = ({ from, group }: Pick<ChatMessage, 'from' | 'group'>): string =>
  group === undefined ? `user ${from}` : `group ${group}`

/** Key of the conversation with a recipient. */
export const chatWith = (to: Recipient): string => (typeof to === 'string' ? `user ${to}` : `group ${to.group}`)

/** What is handled in order: names are written in whatever case. */
export const laneOf = (chat: string): string => chat.toLowerCase()

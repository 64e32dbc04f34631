import type { ChatMessage } from '../../client/chat-message.ts'
import type { Key, Me, Message } from '../shared/model.ts'

export function toMessage(message: ChatMessage, key: Key, me: Me): Message {
  const { id, kind, from, text, sentAt, unread, bot, style, replyTo } = message
  const editedAt = message.editedAt?.getTime()
  return {
    id,
    key,
    kind,
    from,
    text,
    sentAt: sentAt.getTime(),
    mine: from === me.user,
    unread,
    bot,
    style,
    replyTo,
    editedAt,
  }
}

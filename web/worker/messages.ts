import type { ChatMessage, MessageFile } from '../../client/chat-message.ts'
import { fileCaption } from '../../plugins/messages/file-caption.ts'
import type { Key, Me, Message } from '../shared/model.ts'

/** Whether a text is the one that stands for a file without a text. */
export const isCaption = (text: string, file: Pick<MessageFile, 'name' | 'size'> | undefined) =>
  file !== undefined && text === fileCaption(file)

export function toMessage(message: ChatMessage, key: Key, me: Me): Message {
  const { id, kind, from, text, sentAt, unread, bot, style, replyTo, file } = message
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
    file,
    isCaption: isCaption(text, file),
  }
}

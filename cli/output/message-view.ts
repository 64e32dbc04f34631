import type { ChatMessage } from '../../client/index.ts'
import { fileCaption } from '../../plugins/messages/file-caption.ts'
import { localTime } from './local-time.ts'
import type { Column, Output } from './output.ts'
import { printable, printableLine } from './printable.ts'

/** Columns of a list of messages. */
export function messageColumns({ colors }: Output): Column<ChatMessage>[] {
  const unread = ({ unread }: ChatMessage) => (unread ? colors.red : undefined)
  return [
    { title: 'id', value: ({ id }) => id, color: unread },
    { title: 'time', value: ({ sentAt }) => sentAt },
    { title: 'from', value: ({ from }) => from, color: unread },
    { title: 'to', value: ({ to, group }) => group ?? to },
    { title: 'text', value: textWithFile },
  ]
}

/** The text, and the file with the id for `chatctl files get`; the text of a message without words names the file already. */
function textWithFile({ text, file }: ChatMessage): string {
  if (file === undefined) return text
  return text === fileCaption(file) ? `${text} [file ${file.id}]` : `${text} [file ${file.id}: ${fileCaption(file)}]`
}

/** A message as a line of a conversation; further lines of its text are indented. System messages are highlighted. */
export function messageLine({ colors }: Output, message: ChatMessage, isOwn = false): string {
  const { sentAt, kind, from, to = '', group, replyTo, editedAt } = message
  const recipient = isOwn ? ` → ${printableLine(to)}` : ''
  const where = group === undefined ? recipient : ` @${printableLine(group)}`
  const name = (text: string) => colors.bold(kind === 'system' ? colors.yellow(text) : text)
  const body = printable(textWithFile(message)).replace(/\n/g, '\n    ')
  const about = [replyTo !== undefined && `reply to ${replyTo}`, editedAt && 'edited'].filter(Boolean).join(', ')
  const note = about === '' ? '' : ` ${colors.dim(`(${about})`)}`
  return `${colors.dim(localTime(sentAt))} ${name(printableLine(from))}${where}${note}: ${body}`
}

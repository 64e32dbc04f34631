import { isGroup, type Message } from '../shared/model.ts'
import { Avatar } from './avatar.tsx'
import type { Conversation, Subject } from './conversation.ts'
import { FileView } from './file-view.tsx'
import { fullTimeOf, t, timeOf } from './i18n.ts'
import { Menu, type MenuItem } from './menu.tsx'
import { plainName } from './names.ts'
import { Quoted } from './quoted.tsx'
import { Reactions } from './reactions.tsx'
import { isDark, settings } from './settings.ts'
import { attempt, open } from './state.ts'
import { styleOf } from './style.ts'
import { Linked } from './text.tsx'
import { call } from './worker.ts'

/** Messages of one author within this time are shown below one name. */
const RUN_MS = 5 * 60_000

/** Reactions that the menu of a message offers. */
const QUICK_EMOJI = ['👍', '❤️', '😂', '🎉', '😢']

export interface MessageRowProps {
  readonly conversation: Conversation
  readonly message: Message
  readonly before: Message | undefined
  /** Whether the Tab key reaches this message. */
  readonly isReachable: boolean
  /** Whether a search has found this message. */
  readonly isTarget: boolean
}

export function MessageRow({ conversation, message, before, isReachable, isTarget }: MessageRowProps) {
  const { id, key, from, mine, sentAt, text, bot, file, isCaption } = message
  const continues = before?.from === from && sentAt - before.sentAt < RUN_MS
  const style = settings.value.plainStyles ? {} : styleOf(message.style, { isDark: isDark(), mine })
  return (
    <li
      class={`message ${mine ? 'is-mine' : ''} ${continues ? 'continues' : ''} ${isTarget ? 'is-target' : ''}`}
      data-id={id}
      tabIndex={isReachable ? 0 : -1}
    >
      {!mine && <Avatar name={from} />}
      <div class="bubble">
        {!mine && isGroup(key) && !continues && (
          <p class="from">
            <bdi>{plainName(from)}</bdi>
            {bot && <span class="tag">{t('message.bot')}</span>}
          </p>
        )}
        {message.replyTo !== undefined && <Quoted id={message.replyTo} conversation={conversation} />}
        {file !== undefined && <FileView file={file} message={id} isReachable={isReachable} />}
        {!isCaption && (
          <div class="text" dir="auto" style={style}>
            <Linked text={text} />
          </div>
        )}
        <Reactions message={message} conversation={conversation} isReachable={isReachable} />
        <p class="meta">
          {message.editedAt !== undefined && <span title={fullTimeOf(message.editedAt)}>{t('message.edited')}</span>}
          <time dateTime={new Date(sentAt).toISOString()} title={fullTimeOf(sentAt)}>
            {timeOf(sentAt)}
          </time>
          {mine && !isGroup(key) && <span class="receipt">{t(message.unread ? 'message.sent' : 'message.read')}</span>}
        </p>
      </div>
      <Menu label={t('message.menu')} items={actionsOf(message, conversation)} tabIndex={isReachable ? 0 : -1} />
    </li>
  )
}

function actionsOf(message: Message, conversation: Conversation): MenuItem[] {
  const { id, key, from, text, mine } = message
  const turnTo = (kind: Subject['kind']) => () => {
    conversation.subject.value = { kind, message }
  }
  const react = (emoji: string) => () => attempt(call('react', { id, emoji, remove: false }))
  return [
    { label: t('message.reply'), onSelect: turnTo('reply') },
    ...QUICK_EMOJI.map((emoji) => ({ label: emoji, onSelect: react(emoji) })),
    // Without TLS a page may not write to the clipboard.
    ...(isSecureContext
      ? [{ label: t('message.copy'), onSelect: () => attempt(navigator.clipboard.writeText(text)) }]
      : []),
    ...(mine
      ? [
          { label: t('message.edit'), onSelect: turnTo('edit') },
          { label: t('message.recall'), onSelect: () => attempt(call('recall', { id })) },
        ]
      : []),
    ...(!mine && isGroup(key)
      ? [{ label: t('message.writeTo', { user: from }), onSelect: () => open(`@${from}`) }]
      : []),
  ]
}

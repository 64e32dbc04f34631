import { isGroup, type Message } from '../shared/model.ts'
import { Avatar } from './avatar.tsx'
import { fullTimeOf, t, timeOf } from './i18n.ts'
import { Menu, type MenuItem } from './menu.tsx'
import { plainName } from './names.ts'
import { isDark, settings } from './settings.ts'
import { attempt, me, open } from './state.ts'
import { styleOf } from './style.ts'
import { Linked } from './text.tsx'
import { call } from './worker.ts'

/** Messages of one author within this time are shown below one name. */
const RUN_MS = 5 * 60_000

export interface MessageRowProps {
  readonly message: Message
  readonly before: Message | undefined
  /** Whether the Tab key reaches this message. */
  readonly isReachable: boolean
  /** Whether a search has found this message. */
  readonly isTarget: boolean
}

export function MessageRow({ message, before, isReachable, isTarget }: MessageRowProps) {
  const { id, key, from, mine, sentAt, text, bot } = message
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
        <div class="text" dir="auto" style={style}>
          <Linked text={text} />
        </div>
        <p class="meta">
          <time dateTime={new Date(sentAt).toISOString()} title={fullTimeOf(sentAt)}>
            {timeOf(sentAt)}
          </time>
          {mine && !isGroup(key) && <span class="receipt">{t(message.unread ? 'message.sent' : 'message.read')}</span>}
        </p>
      </div>
      <Menu label={t('message.menu')} items={actionsOf(message)} tabIndex={isReachable ? 0 : -1} />
    </li>
  )
}

function actionsOf({ id, key, from, text, mine }: Message): MenuItem[] {
  const copy = { label: t('message.copy'), onSelect: () => attempt(navigator.clipboard.writeText(text)) }
  if (mine) return [copy, { label: t('message.recall'), onSelect: () => attempt(call('recall', { id })) }]
  const write = { label: t('message.writeTo', { user: from }), onSelect: () => open(`@${from}`) }
  return isGroup(key) && from !== me.value?.user ? [copy, write] : [copy]
}

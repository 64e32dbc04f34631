import { signal } from '@preact/signals'
import type { Contact, Message } from '../shared/model.ts'
import { t } from './i18n.ts'
import { plainName } from './names.ts'
import { settings } from './settings.ts'

/** What a screen reader says next. */
export const announcement = signal('')

const MAX_CHARACTERS = 200

/** Announces a new message to screen readers, and as a notification while nobody looks at the page. */
export function announceMessage(message: Message, contact: Contact | undefined) {
  if (message.mine) return
  const from = plainName((contact && message.from === contact.name && contact.nickname) || message.from)
  const text = message.text.slice(0, MAX_CHARACTERS)
  announcement.value = t('message.announced', { from, text })
  if (!settings.value.notify || document.hasFocus() || Notification.permission !== 'granted') return
  const body = settings.value.hideText ? t('notification.hidden') : text
  // One per conversation: a later one takes its place, in whichever tab it is shown.
  const notification = new Notification(from, { body, tag: message.key })
  notification.onclick = () => {
    window.focus()
    location.hash = `/${encodeURIComponent(message.key)}`
    notification.close()
  }
}

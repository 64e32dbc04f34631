import { signal } from '@preact/signals'
import type { Contact, Key, Message } from '../shared/model.ts'
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
  const body = settings.value.hideText ? t('notification.hidden') : text
  if (settings.value.notify && Notification.permission === 'granted') void notify(message.key, from, body)
}

async function notify(key: Key, from: string, body: string) {
  const { held = [] } = await navigator.locks.query()
  if (held.some(({ name }) => name === LOOKED_AT)) return
  // One per conversation: a later one takes its place, in whichever tab it is shown.
  const notification = new Notification(from, { body, tag: key })
  notification.onclick = () => {
    window.focus()
    location.hash = `/${encodeURIComponent(key)}`
    notification.close()
  }
}

/** Lock that the tab with the focus holds, so that no other tab notifies. It ends with the tab, even when that crashes. */
const LOOKED_AT = 'chatctl.looked-at'

let lookAway = () => {}

const look = () =>
  navigator.locks.request(LOOKED_AT, { mode: 'shared' }, () => {
    if (!document.hasFocus()) return
    return new Promise<void>((resolve) => {
      lookAway = resolve
    })
  })

// As notifications, locks exist only in secure contexts.
if (isSecureContext) {
  addEventListener('focus', () => void look())
  addEventListener('blur', () => lookAway())
  void look()
}

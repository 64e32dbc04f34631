import { useSignal } from '@preact/signals'
import { type Contact, isGroup } from '../shared/model.ts'
import { Avatar } from './avatar.tsx'
import { show } from './dialog-state.ts'
import { moveFocus } from './focus.ts'
import { shortTimeOf, t, tn } from './i18n.ts'
import { IconButton } from './icons.tsx'
import { plainName, titleOf } from './names.ts'
import { contacts, me, open, openKey, status, unsent, waiting } from './state.ts'

/** The user, and the list of contacts. */
export function Sidebar() {
  const filter = useSignal('')
  const { user = '', nickname = '' } = me.value ?? {}
  const wanted = filter.value.trim().toLowerCase()
  const found = [...contacts.value.values()]
    .filter(({ name, nickname }) => `${name} ${nickname}`.toLowerCase().includes(wanted))
    .sort((one, other) => other.lastId - one.lastId || one.name.localeCompare(other.name))
  return (
    <nav class="sidebar" aria-label={t('contacts.title')}>
      <header class="bar">
        <button
          type="button"
          class="icon-button"
          aria-label={t('profile.own')}
          title={t('profile.own')}
          onClick={() => show('ownProfile')}
        >
          <Avatar name={user} />
        </button>
        <div class="who">
          <h1 class="name">{plainName(nickname || user)}</h1>
          <span class="hint">@{user}</span>
        </div>
        <IconButton icon="inbox" label={waitingLabel()} badge={waiting.value} onClick={() => show('requests')} />
        <IconButton icon="friendAdd" label={t('friend.add')} onClick={() => show('addFriend')} />
        <IconButton icon="groupAdd" label={t('group.new')} onClick={() => show('newGroup')} />
        <IconButton icon="settings" label={t('settings.title')} onClick={() => show('settings')} />
      </header>
      {!status.value?.online && (
        <p class="offline" role="status">
          {t('status.offline')}
        </p>
      )}
      <div class="filter">
        <input
          type="search"
          aria-label={t('contacts.filter')}
          placeholder={t('contacts.filter')}
          value={filter.value}
          onInput={({ currentTarget }) => {
            filter.value = currentTarget.value
          }}
        />
        <IconButton icon="search" label={t('search.title')} onClick={() => show('search')} />
      </div>
      {found.length === 0 && <p class="empty">{t(wanted === '' ? 'contacts.empty' : 'contacts.none')}</p>}
      <ul class="contacts" onKeyDown={moveRow}>
        {found.map((contact) => (
          <ContactRow key={contact.key} contact={contact} />
        ))}
      </ul>
    </nav>
  )
}

const waitingLabel = () => (waiting.value === 0 ? t('requests.title') : tn('requests.waiting', waiting.value))

/** Up and Down move between contacts. */
function moveRow(event: KeyboardEvent) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  const list = event.currentTarget
  if (step === undefined || !(list instanceof HTMLElement)) return
  if (moveFocus([...list.querySelectorAll<HTMLElement>('.contact')], step)) event.preventDefault()
}

function ContactRow({ contact }: { contact: Contact }) {
  const { key, name, unread, lastAt } = contact
  const isOpen = openKey.value === key
  return (
    <li>
      <button
        type="button"
        class={`contact ${unread > 0 ? 'has-unread' : ''}`}
        aria-current={isOpen ? 'true' : undefined}
        onClick={() => open(key)}
      >
        <Avatar name={name} isGroup={isGroup(key)} />
        <span class="who">
          <span class="line">
            <bdi class="name">{titleOf(contact)}</bdi>
            {contact.nickname !== '' && contact.nickname !== name && <span class="hint">@{name}</span>}
          </span>
          <span class="preview">{previewOf(contact)}</span>
        </span>
        <span class="aside">
          {lastAt > 0 && <time dateTime={new Date(lastAt).toISOString()}>{shortTimeOf(lastAt)}</time>}
          {unread > 0 ? (
            <span class="badge" title={tn('contacts.unread', unread)}>
              <span aria-hidden="true">{unread}</span>
              <span class="visually-hidden">{tn('contacts.unread', unread)}</span>
            </span>
          ) : (
            <PresenceMark contact={contact} />
          )}
        </span>
      </button>
    </li>
  )
}

function previewOf({ key, lastFrom, lastText }: Contact) {
  const waiting = unsent.value.filter((other) => other.key === key).length
  if (waiting > 0) return tn('contacts.unsent', waiting)
  if (lastText === '') return ''
  const isMine = lastFrom === me.value?.user
  return isMine || isGroup(key) ? `${isMine ? t('message.you') : plainName(lastFrom)}: ${lastText}` : lastText
}

export function PresenceMark({ contact: { key, friend, online } }: { contact: Contact }) {
  if (isGroup(key) || !friend) return null
  return (
    <span class={`presence ${online ? 'is-online' : ''}`}>
      <span class="visually-hidden">{t(online ? 'presence.online' : 'presence.offline')}</span>
    </span>
  )
}

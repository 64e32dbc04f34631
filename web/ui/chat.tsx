import { useSignal } from '@preact/signals'
import { isGroup } from '../shared/model.ts'
import { ActionButton } from './action-button.tsx'
import { Avatar } from './avatar.tsx'
import { Composer } from './composer.tsx'
import type { Conversation } from './conversation.ts'
import { show } from './dialog-state.ts'
import { errorText, t, tn } from './i18n.ts'
import { IconButton } from './icons.tsx'
import { Members } from './members.tsx'
import { Menu } from './menu.tsx'
import { MessageList } from './message-list.tsx'
import { plainName, titleOf } from './names.ts'
import { stage } from './staging.ts'
import { attempt, contacts, conversation, open } from './state.ts'
import { writers } from './typing.ts'
import { call } from './worker.ts'

/** The open conversation. */
export function Chat() {
  const shown = conversation.value
  if (shown === undefined) return <main class="chat is-empty">{t('chat.none')}</main>
  return <OpenChat key={shown.serial} conversation={shown} />
}

function OpenChat({ conversation }: { conversation: Conversation }) {
  const { key, failure } = conversation
  const areMembersShown = useSignal(false)
  const contact = contacts.value.get(key)
  const name = contact?.name ?? key.slice(1)
  const isDropping = useSignal(false)
  const drop = {
    onDragOver: (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      isDropping.value = true
    },
    onDragLeave: () => {
      isDropping.value = false
    },
    onDrop: (event: DragEvent) => {
      isDropping.value = false
      if (stage(key, event.dataTransfer?.files)) event.preventDefault()
    },
  }
  return (
    <main class="chat" {...drop}>
      {isDropping.value && <p class="drop">{t('file.drop')}</p>}
      <header class="bar">
        <IconButton icon="back" label={t('chat.back')} onClick={() => open(undefined)} />
        <Avatar name={name} isGroup={isGroup(key)} />
        <div class="who">
          <h2 class="name">
            <bdi>{contact === undefined ? name : titleOf(contact)}</bdi>
          </h2>
          <span class="hint">{subtitleOf(conversation)}</span>
        </div>
        {isGroup(key) && (
          <IconButton
            icon="group"
            label={t('group.members')}
            pressed={areMembersShown.value}
            onClick={() => {
              areMembersShown.value = !areMembersShown.value
            }}
          />
        )}
        <IconButton icon="search" label={t('search.here')} onClick={() => show('search', key)} />
        {isGroup(key) ? <GroupMenu groupKey={key} /> : <UserMenu user={name} />}
      </header>
      {failure.value !== undefined && (
        <p class="failure" role="alert">
          {errorText(failure.value)}{' '}
          <ActionButton kind="link" work={() => conversation.load()}>
            {t('start.retry')}
          </ActionButton>
        </p>
      )}
      <div class="chat-body">
        <MessageList conversation={conversation} />
        {areMembersShown.value && <Members groupKey={key} />}
      </div>
      <Composer conversation={conversation} />
    </main>
  )
}

function subtitleOf({ key }: Conversation): string {
  const writing = [...(writers.value.get(key) ?? [])]
  if (writing.length > 0) return tn('typing', writing.length, { users: writing.map(plainName).join(', ') })
  const contact = contacts.value.get(key)
  if (isGroup(key)) return t('group.title')
  if (!contact?.friend) return `@${key.slice(1)} · ${t('presence.unknown')}`
  return `@${key.slice(1)} · ${t(contact.online ? 'presence.online' : 'presence.offline')}`
}

function UserMenu({ user }: { user: string }) {
  const isFriend = contacts.value.get(`@${user}`)?.friend ?? false
  return (
    <Menu
      label={t('chat.menu')}
      items={[
        { label: t('profile.title'), onSelect: () => show('profile', user) },
        isFriend
          ? { label: t('friend.delete'), onSelect: () => show('deleteFriend', user) }
          : { label: t('friend.add'), onSelect: () => show('addFriend', user) },
        { label: t('friend.block'), onSelect: () => show('block', user) },
      ]}
    />
  )
}

function GroupMenu({ groupKey }: { groupKey: string }) {
  return (
    <Menu
      label={t('chat.menu')}
      items={[
        { label: t('group.invite'), onSelect: () => show('invite', groupKey) },
        { label: t('group.rename'), onSelect: () => show('renameGroup', groupKey) },
        { label: t('group.leave'), onSelect: () => attempt(call('leaveGroup', { key: groupKey })) },
        { label: t('group.dissolve'), onSelect: () => show('dissolveGroup', groupKey) },
      ]}
    />
  )
}

import { useSignal, useSignalEffect } from '@preact/signals'
import type { Key, Member } from '../shared/model.ts'
import { userKey } from '../shared/model.ts'
import { Avatar } from './avatar.tsx'
import { show } from './dialog-state.ts'
import { errorText, t, tn } from './i18n.ts'
import { Menu, type MenuItem } from './menu.tsx'
import { titleOf } from './names.ts'
import { attempt, contacts, groupChange, me, open } from './state.ts'
import { call } from './worker.ts'

/** The members of a group, kept current while it is shown. */
export function Members({ groupKey }: { groupKey: Key }) {
  const members = useSignal<readonly Member[] | undefined>(undefined)
  const failure = useSignal('')
  useSignalEffect(() => {
    const changed = groupChange.value
    if (changed !== undefined && changed.key !== groupKey && members.peek() !== undefined) return
    call('members', { key: groupKey }).then(
      (found) => {
        members.value = found
      },
      (error: unknown) => {
        failure.value = errorText(error)
      },
    )
  })
  const shown = members.value ?? []
  const own = shown.find(({ user }) => user === me.value?.user)?.role ?? 'member'
  return (
    <aside class="members" aria-label={t('group.members')}>
      <h3>{tn('group.count', shown.length)}</h3>
      {failure.value !== '' && <p role="alert">{failure.value}</p>}
      <ul>
        {shown.map((member) => (
          <MemberRow key={member.user} member={member} own={own} groupKey={groupKey} />
        ))}
      </ul>
    </aside>
  )
}

interface MemberRowProps {
  readonly member: Member
  /** Role of this user. */
  readonly own: Member['role']
  readonly groupKey: Key
}

function MemberRow({ member, own, groupKey }: MemberRowProps) {
  const { user, nickname, role, online } = member
  const isMe = user === me.value?.user
  return (
    <li class="member">
      <Avatar name={user} />
      <span class="who">
        <bdi class="name">{titleOf({ name: user, nickname })}</bdi>
        <span class="hint">
          @{user} · {t(`role.${role}`)}
        </span>
      </span>
      <span class={`presence ${online ? 'is-online' : ''}`}>
        <span class="visually-hidden">{t(online ? 'presence.online' : 'presence.offline')}</span>
      </span>
      {!isMe && <Menu label={t('member.menu', { user })} items={actionsOf(member, own, groupKey)} />}
    </li>
  )
}

function actionsOf({ user, role }: Member, own: Member['role'], key: Key): MenuItem[] {
  const isFriend = contacts.value.get(userKey(user))?.friend ?? false
  const setRole = (role: Member['role']) => () => attempt(call('setRole', { key, user, role }))
  const items: MenuItem[] = [
    { label: t('member.write'), onSelect: () => open(userKey(user)) },
    { label: t('profile.title'), onSelect: () => show('profile', user) },
  ]
  if (!isFriend) items.push({ label: t('friend.add'), onSelect: () => show('addFriend', user) })
  if (own === 'owner') {
    items.push(
      role === 'admin'
        ? { label: t('member.makeMember'), onSelect: setRole('member') }
        : { label: t('member.makeAdmin'), onSelect: setRole('admin') },
      { label: t('member.makeOwner'), onSelect: setRole('owner') },
    )
  }
  if (own === 'owner' || (own === 'admin' && role === 'member'))
    items.push({ label: t('member.kick'), onSelect: () => attempt(call('kick', { key, user })) })
  return items
}

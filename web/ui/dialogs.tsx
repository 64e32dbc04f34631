import type { FunctionComponent } from 'preact'
import { userKey } from '../shared/model.ts'
import { Confirmation } from './confirmation.tsx'
import { type DialogContentProps, type DialogName, shown } from './dialog-state.ts'
import { AddFriend, Invite, NewGroup, RenameGroup } from './entry-dialogs.tsx'
import { t } from './i18n.ts'
import { OwnProfileDialog, ProfileDialog } from './profile-dialogs.tsx'
import { Requests } from './requests.tsx'
import { Search } from './search.tsx'
import { SettingsDialog } from './settings-dialog.tsx'
import { contacts, dropContact } from './state.ts'
import { Viewer } from './viewer.tsx'
import { call } from './worker.ts'

const nameOf = (key: string) => contacts.value.get(key)?.name ?? ''

const DIALOGS: Readonly<Record<DialogName, FunctionComponent<DialogContentProps>>> = {
  addFriend: AddFriend,
  newGroup: NewGroup,
  invite: Invite,
  renameGroup: RenameGroup,
  profile: ProfileDialog,
  ownProfile: OwnProfileDialog,
  requests: Requests,
  search: Search,
  settings: SettingsDialog,
  viewer: Viewer,
  deleteFriend: ({ about: user, close }) => (
    <Confirmation
      title={t('friend.delete')}
      text={t('friend.delete.explained', { user })}
      work={() => call('deleteFriend', { user })}
      close={close}
    />
  ),
  block: ({ about: user, close }) => (
    <Confirmation
      title={t('friend.block')}
      text={t('friend.block.explained', { user })}
      work={() => call('block', { user }).then(() => dropContact(userKey(user)))}
      close={close}
    />
  ),
  dissolveGroup: ({ about: key, close }) => (
    <Confirmation
      title={t('group.dissolve')}
      text={t('group.dissolve.explained', { group: nameOf(key) })}
      work={() => call('dissolveGroup', { key })}
      close={close}
    />
  ),
}

/** The dialog that is open. */
export function Dialogs() {
  if (shown.value === undefined) return null
  const { name, about } = shown.value
  const Content = DIALOGS[name]
  const close = () => {
    shown.value = undefined
  }
  return <Content key={name + about} about={about} close={close} />
}

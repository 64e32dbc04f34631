import { signal } from '@preact/signals'

export type DialogName =
  | 'addFriend'
  | 'newGroup'
  | 'invite'
  | 'renameGroup'
  | 'dissolveGroup'
  | 'deleteFriend'
  | 'block'
  | 'profile'
  | 'ownProfile'
  | 'requests'
  | 'search'
  | 'settings'
  | 'viewer'

export interface DialogContentProps {
  /** The user, the key of the conversation, or the id of the message that the dialog is about. */
  readonly about: string
  readonly close: () => void
}

/** The dialog that is open. */
export const shown = signal<{ readonly name: DialogName; readonly about: string } | undefined>(undefined)

export function show(name: DialogName, about = '') {
  shown.value = { name, about }
}

import type { Key } from '../shared/model.ts'

const keyOf = (user: string, key: Key) => `chatctl.draft/${user}/${key}`

/** Text that a user has begun to write in a conversation. */
export const loadDraft = (user: string, key: Key): string => localStorage.getItem(keyOf(user, key)) ?? ''

export function saveDraft(user: string, key: Key, text: string) {
  if (text === '') localStorage.removeItem(keyOf(user, key))
  else localStorage.setItem(keyOf(user, key), text)
}

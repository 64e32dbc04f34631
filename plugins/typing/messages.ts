import { bool, clientMessage, line, optional, serverMessage } from '../../core/wire/index.ts'

export const Typing = clientMessage({
  type: 56,
  name: 'typing',
  about: 'Tells a user, or the other members of a group, that this user is writing a message.',
  allow: 'user',
  fields: {
    to: optional(line('name of the other user; empty with `group`', { max: 255 }), ''),
    group: optional(line('name of the group; empty with `to`', { max: 120 }), ''),
    state: optional(bool('true while writing, to be repeated every 3 to 5 s; false when the user has stopped'), true),
  },
})

export const UserTyping = serverMessage({
  type: 158,
  name: 'user_typing',
  about: 'A user is writing a message to this user, or in a group. It holds for 6 s, or until a message of that user.',
  fields: {
    from: line('name of the writing user', { max: 255 }),
    group: line('name of the group; empty in a private conversation', { max: 120 }),
    state: bool('false: the user has stopped'),
  },
})

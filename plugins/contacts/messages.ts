import {
  bool,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  uint8,
  uint16,
  uint32,
  uint64,
} from '../../core/wire/index.ts'

/** Contacts in one packet: with the longest names and previews it stays below the 256 KiB of a message. */
const PAGE = 250

const contact = {
  kind: uint8('1: a user, 4: a group'),
  id: uint32('id of the user or group; does not change with the name'),
  name: line('name of the user or group', { max: 255 }),
  nickname: line('display name; empty for a group', { max: 256 }),
  friend: bool('true for a friend; false for a group, and for another user with an unread message'),
  online: bool('true while a friend has a session'),
  unread: uint32('number of messages that this user has not acknowledged'),
  lastId: uint64('id of the newest message; 0 if there is none'),
  lastFrom: line('sender of the newest message', { max: 255 }),
  lastAt: uint64('time of the newest message, milliseconds since 1970 UTC'),
  lastText: line('first 80 characters of the newest message, on one line', { max: 400 }),
  profileAt: optional(uint64('time of the last change of the user’s profile; 0: never set, or a group'), 0),
}

export const ContactInfo = serverMessage({
  type: 103,
  name: 'contact_info',
  about: 'A page of the contact list: friends, groups, and other users with an unread message; newest message first.',
  fields: {
    more: bool('true if more contacts follow: request the next page with `skip`'),
    unread: uint32('number of unread messages in all conversations'),
    contacts: list('the contacts', contact, { max: PAGE }),
  },
})

export const QueryContacts = clientMessage({
  type: 33,
  name: 'query_contacts',
  about: 'Requests the contact list.',
  allow: 'user',
  fields: {
    skip: optional(uint16('number of contacts to skip'), 0),
    watch: optional(bool('true: push changes to this session from now on, as contact_changed and contact_gone'), false),
  },
  reply: ContactInfo,
})

export const ContactChanged = serverMessage({
  type: 138,
  name: 'contact_changed',
  about: 'Contacts that were added or have changed.',
  fields: { contacts: list('the contacts', contact, { max: PAGE }) },
})

export const ContactGone = serverMessage({
  type: 143,
  name: 'contact_gone',
  about: 'A contact was removed from the list.',
  fields: { kind: uint8('1: a user, 4: a group'), id: uint32('id of the user or group') },
})

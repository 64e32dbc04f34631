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
  kind: uint8('1 a user, 4 a group'),
  id: uint32('number of the user or group: stays the same when the name changes'),
  name: line('name of the user or group', { max: 255 }),
  nickname: line('shown to others; empty for a group', { max: 256 }),
  friend: bool('true for a friend; false for a group, and for who is no friend but has written something unread'),
  online: bool('true while a friend has a session'),
  unread: uint32('messages that this user has not acknowledged'),
  lastId: uint64('id of the newest message, 0 if there is none'),
  lastFrom: line('who wrote it', { max: 255 }),
  lastAt: uint64('when, milliseconds since 1970 UTC'),
  lastText: line('its first 80 characters, on one line', { max: 400 }),
}

export const ContactInfo = serverMessage({
  type: 103,
  name: 'contact_info',
  about: 'The contact list: friends, groups, and whoever else has written something unread; the newest first.',
  fields: {
    more: bool('true if there are more behind these: ask again with skip'),
    unread: uint32('messages unread in all'),
    contacts: list('the contacts', contact, { max: PAGE }),
  },
})

export const QueryContacts = clientMessage({
  type: 33,
  name: 'query_contacts',
  about: 'Asks for the contact list.',
  allow: 'user',
  fields: {
    skip: optional(uint16('leave out so many, for the next page'), 0),
    watch: optional(bool('true: tell this session of changes from now on, as contact_changed and contact_gone'), false),
  },
  reply: ContactInfo,
})

export const ContactChanged = serverMessage({
  type: 138,
  name: 'contact_changed',
  about: 'These contacts are new or different now, compared with what was told before.',
  fields: { contacts: list('the contacts', contact, { max: PAGE }) },
})

export const ContactGone = serverMessage({
  type: 143,
  name: 'contact_gone',
  about: 'That contact is on the list no more.',
  fields: { kind: uint8('1 a user, 4 a group'), id: uint32('number of the user or group') },
})

import {
  bool,
  clientMessage,
  line,
  list,
  MAX_TEXT,
  optional,
  serverMessage,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'
import { textStyle } from './fields.ts'

const message = {
  id: uint64('number of the message; later ones of a conversation have higher numbers'),
  kind: uint8('1 chat, 2 system, 3 friend request, 4 group'),
  from: line('name of the sender', { max: 255 }),
  to: line('name of the recipient; empty in a group', { max: 255 }),
  text: text('the text', { max: MAX_TEXT }),
  sentAt: uint64('when the server stored it, milliseconds since 1970 UTC'),
  unread: bool('true until the recipient acknowledges it'),
  ...textStyle,
  group: optional(line('name of the group; empty in a private message', { max: 255 }), ''),
  hops: optional(uint8('0: written by a person; otherwise the so many-th message of bots in a row'), 0),
}

export const MessageStored = serverMessage({
  type: 131,
  name: 'message_stored',
  about: 'The message is on disk and will reach its recipient.',
  fields: {
    id: uint64('number of the message'),
    sentAt: uint64('when it was stored, milliseconds since 1970 UTC'),
    repeat: bool('true if this client id was stored before: id and time are the first one’s'),
  },
})

export const SendMessage = clientMessage({
  type: 11,
  name: 'send_message',
  about: 'Sends a private message. The reply comes after the commit.',
  allow: 'user',
  fields: {
    to: userName('name of the recipient'),
    text: text('the text, line breaks and all', { min: 1, max: MAX_TEXT }),
    clientId: optional(
      line('the sender’s own id of the message; sending the same again after a lost reply stores it only once', {
        max: 64,
      }),
      '',
    ),
    ...textStyle,
    hops: optional(uint8('one more than those of the message that a program answers here; 0 for a person'), 0),
  },
  reply: MessageStored,
})

export const OnNewMessage = serverMessage({
  type: 121,
  name: 'on_new_message',
  about: 'Messages for this user, oldest first. They come again after the next login until they are acknowledged.',
  fields: { messages: list('the messages', message) },
})

export const Acknowledge = clientMessage({
  type: 13,
  name: 'acknowledge',
  about: 'All messages from that user, up to that one, are read: they are not unread any more and not pushed again.',
  allow: 'user',
  fields: { from: userName('name of the sender'), upTo: uint64('id of the last message read') },
})

export const ConversationRead = serverMessage({
  type: 139,
  name: 'conversation_read',
  about:
    'Messages were read up to an id: told to the reader’s other sessions, and, in private and where the server is set so, to who wrote them.',
  fields: {
    reader: userName('who has read'),
    from: line('whose messages; empty in a group', { max: 255 }),
    group: line('name of the group; empty in a private conversation', { max: 255 }),
    upTo: uint64('id of the last message read'),
  },
})

export const RecallMessage = clientMessage({
  type: 35,
  name: 'recall_message',
  about: 'Deletes a message of one’s own, private or in a group: nobody reads it from the server any more.',
  allow: 'user',
  fields: { id: uint64('number of the message') },
})

export const MessageRecalled = serverMessage({
  type: 140,
  name: 'message_recalled',
  about: 'A message that this user wrote or could read was deleted by its sender.',
  fields: {
    id: uint64('number of the message'),
    from: line('name of the sender', { max: 255 }),
    to: line('name of the recipient; empty in a group', { max: 255 }),
    group: line('name of the group; empty for a private message', { max: 255 }),
  },
})

export const Receiving = serverMessage({
  type: 132,
  name: 'receiving',
  about: 'Unread messages follow as on_new_message, then new ones as they come.',
  fields: { unread: uint32('how many unread messages there are now, of everyone') },
})

export const Receive = clientMessage({
  type: 16,
  name: 'receive',
  about:
    'Asks for pushes on this session: everything unread, then what is new. A session that only sends leaves it out. Asked again, it begins anew: what is pushed before the reply was asked for before.',
  allow: 'user',
  fields: {
    from: optional(line('only private messages of this user; empty: of everyone', { max: 255 }), ''),
    kind: optional(uint8('only messages of this kind, as in on_new_message; 0: all'), 0),
    after: optional(uint64('only messages with a higher id; older ones stay unread'), 0),
  },
  reply: Receiving,
})

export const ChatHistory = serverMessage({
  type: 104,
  name: 'chat_history',
  about: 'A page of messages, oldest first.',
  fields: { more: bool('true if there are more in the asked direction'), messages: list('the messages', message) },
})

export const QueryInbox = clientMessage({
  type: 14,
  name: 'query_inbox',
  about: 'Asks for messages to this user, oldest first, without acknowledging them.',
  allow: 'user',
  fields: {
    after: optional(uint64('only messages with a higher id'), 0),
    limit: optional(uint16('at most so many; 0: the server’s page'), 0),
    all: optional(bool('read ones too'), false),
  },
  reply: ChatHistory,
})

export const QueryHistory = clientMessage({
  type: 15,
  name: 'query_history',
  about: 'Asks for the newest messages between this user and another one.',
  allow: 'user',
  fields: {
    with: userName('name of the other one'),
    before: optional(uint64('only messages with a lower id; 0: the newest'), 0),
    limit: optional(uint16('at most so many; 0: the server’s page'), 0),
  },
  reply: ChatHistory,
})

export const SearchResult = serverMessage({
  type: 142,
  name: 'search_result',
  about: 'Messages that match, oldest first.',
  fields: {
    more: bool('true if there are older messages that were not looked at, whether or not anything was found'),
    searchedTo: uint64('what to give as `before` to go on; 0 if there was nothing to look at'),
    messages: list('the messages', message),
  },
})

export const SearchMessages = clientMessage({
  type: 34,
  name: 'search_messages',
  about:
    'Looks for a text in what this user may read, newest first, without regard to case; no character stands for others.',
  allow: 'user',
  fields: {
    text: text('what to look for', { min: 1, max: 200 }),
    with: optional(line('only private messages with this user', { max: 255 }), ''),
    group: optional(line('only messages of this group; not together with the other', { max: 255 }), ''),
    before: optional(uint64('only messages with a lower id; 0: the newest'), 0),
    limit: optional(uint16('at most so many; 0: the server’s page'), 0),
  },
  reply: SearchResult,
})

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
import { attachedFile, fileFacts, historyRange, replyTo, textStyle } from './fields.ts'

const message = {
  id: uint64('id of the message; ids ascend within a conversation'),
  kind: uint8('1: private, 2: system, 3: friend request, 4: group'),
  from: line('name of the sender', { max: 255 }),
  to: line('name of the recipient; empty in a group', { max: 255 }),
  text: text('text of the message', { max: MAX_TEXT }),
  sentAt: uint64('time of storage, milliseconds since 1970 UTC'),
  unread: bool('true until the recipient acknowledges it'),
  ...textStyle,
  group: optional(line('name of the group; empty in a private message', { max: 255 }), ''),
  hops: optional(uint8('length of the chain of bot replies; 0: written by a person'), 0),
  replyTo: optional(uint64('id of the message of the same conversation that this one answers; 0: none'), 0),
  editedAt: optional(uint64('time of the last edit, milliseconds since 1970 UTC; 0: never edited'), 0),
  ...fileFacts,
}

export const MessageStored = serverMessage({
  type: 131,
  name: 'message_stored',
  about: 'The message is on disk and will be pushed to its recipient.',
  fields: {
    id: uint64('id of the message'),
    sentAt: uint64('time of storage, milliseconds since 1970 UTC'),
    repeat: bool('true if a message with this client id was stored before; id and time are those of that message'),
  },
})

export const SendMessage = clientMessage({
  type: 11,
  name: 'send_message',
  about: 'Sends a private message. The reply comes after the commit.',
  allow: 'user',
  fields: {
    to: userName('name of the recipient'),
    text: text('text; may contain line breaks; empty only with `file`', { max: MAX_TEXT }),
    clientId: optional(
      line('idempotency key, unique per sender: a message sent again after a lost reply is stored once; empty: none', {
        max: 64,
      }),
      '',
    ),
    ...textStyle,
    hops: optional(
      uint8('length of the chain of bot replies: hops of the answered message plus 1; 0: written by a person'),
      0,
    ),
    replyTo,
    file: attachedFile,
  },
  reply: MessageStored,
})

export const OnNewMessage = serverMessage({
  type: 121,
  name: 'on_new_message',
  about:
    'Messages for this user, oldest first. They are pushed again after the next login until they are acknowledged.',
  fields: { messages: list('the messages', message) },
})

export const Acknowledge = clientMessage({
  type: 13,
  name: 'acknowledge',
  about: 'Marks all messages from that user as read, up to and including that one: they are not pushed again.',
  allow: 'user',
  fields: { from: userName('name of the sender'), upTo: uint64('id of the last message read') },
})

export const ConversationRead = serverMessage({
  type: 139,
  name: 'conversation_read',
  about:
    'Messages were read up to an id. Sent to the reader’s other sessions, and to the sender of private messages if the server is configured so.',
  fields: {
    reader: userName('name of the reader'),
    from: line('name of the sender of the messages; empty in a group', { max: 255 }),
    group: line('name of the group; empty in a private conversation', { max: 255 }),
    upTo: uint64('id of the last message read'),
  },
})

export const RecallMessage = clientMessage({
  type: 35,
  name: 'recall_message',
  about: 'Deletes a message of this user, private or in a group, for everyone.',
  allow: 'user',
  fields: { id: uint64('id of the message') },
})

export const MessageRecalled = serverMessage({
  type: 140,
  name: 'message_recalled',
  about: 'A message that this user wrote or could read was deleted by its sender.',
  fields: {
    id: uint64('id of the message'),
    from: line('name of the sender', { max: 255 }),
    to: line('name of the recipient; empty in a group', { max: 255 }),
    group: line('name of the group; empty for a private message', { max: 255 }),
  },
})

export const Receiving = serverMessage({
  type: 132,
  name: 'receiving',
  about: 'Pushes have started: unread messages follow as on_new_message, then new ones.',
  fields: { unread: uint32('number of unread messages in all conversations') },
})

export const Receive = clientMessage({
  type: 16,
  name: 'receive',
  about:
    'Starts pushes on this session: all unread messages, then each new one. A session that only sends leaves it out. A second `receive` replaces the first; pushes before its reply belong to the first.',
  allow: 'user',
  fields: {
    from: optional(line('only private messages of this user; empty: of everyone', { max: 255 }), ''),
    kind: optional(uint8('only messages of this kind, as in on_new_message; 0: all'), 0),
    after: optional(uint64('only messages with a higher id; older ones stay unread'), 0),
    own: optional(bool('true: also messages that this user sends on other sessions from now on'), false),
  },
  reply: Receiving,
})

export const ChatHistory = serverMessage({
  type: 104,
  name: 'chat_history',
  about: 'A page of messages, oldest first.',
  fields: {
    more: bool('true if there are more messages in the requested direction; with `around`, older ones'),
    messages: list('the messages', message),
  },
})

export const QueryInbox = clientMessage({
  type: 14,
  name: 'query_inbox',
  about: 'Requests messages to this user, oldest first. Acknowledges nothing.',
  allow: 'user',
  fields: {
    after: optional(uint64('only messages with a higher id'), 0),
    limit: optional(uint16('most messages in the reply; 0: the server’s page size'), 0),
    all: optional(bool('true: include read messages'), false),
  },
  reply: ChatHistory,
})

export const SyncEntries = serverMessage({
  type: 174,
  name: 'sync_entries',
  about: 'A page of the log of this user’s conversations, in the order of commits.',
  fields: {
    upTo: uint64('`after` of the next request: everything up to this number was sent'),
    more: bool('true if there is more now'),
    entries: list('the entries', {
      number: uint64('number in the log; a message’s is its id'),
      entry: uint8(
        '1: a message; 2: the recall of the message `id`; 3: its edit, with names, `text` and `editedAt`; 4: its reactions have changed; other fields are empty; ignore any other entry',
      ),
      ...message,
    }),
  },
})

export const Sync = clientMessage({
  type: 72,
  name: 'sync',
  about:
    'Requests what a client has missed since a number: messages of all conversations, own ones included, recalls, edits and changed reactions. Acknowledges nothing.',
  allow: 'user',
  fields: {
    after: optional(uint64('only entries with a higher number; 0: from the beginning'), 0),
    limit: optional(uint16('most entries in the reply; 0: the server’s page size'), 0),
  },
  reply: SyncEntries,
})

export const ReadPositions = serverMessage({
  type: 175,
  name: 'read_positions',
  about: 'Read positions in conversations of this user.',
  fields: {
    next: uint64('`cursor` of the next request; 0: there are no more'),
    positions: list('the positions', {
      with: line('name of the other user; empty for a group', { max: 255 }),
      group: line('name of the group; empty for a user', { max: 255 }),
      own: uint64('id of the last message that this user has acknowledged; 0: none'),
      other: uint64('the same of the other user; 0 also if the server does not tell, and in groups'),
    }),
  },
})

export const QueryReadPositions = clientMessage({
  type: 73,
  name: 'query_read_positions',
  about: 'Requests the read positions of this user, in conversations with users and groups.',
  allow: 'user',
  fields: { cursor: optional(uint64('`next` of the reply before; 0: the beginning'), 0) },
  reply: ReadPositions,
})

export const QueryHistory = clientMessage({
  type: 15,
  name: 'query_history',
  about: 'Requests messages between this user and another one: the newest, or those at an id.',
  allow: 'user',
  fields: {
    with: userName('name of the other user'),
    before: optional(uint64('only messages with a lower id; 0: the newest'), 0),
    limit: optional(uint16('most messages in the reply; 0: the server’s page size'), 0),
    ...historyRange,
  },
  reply: ChatHistory,
})

export const SearchResult = serverMessage({
  type: 142,
  name: 'search_result',
  about: 'Messages that match, oldest first.',
  fields: {
    more: bool('true if older messages were not searched, whether or not there is a match'),
    searchedTo: uint64('`before` for the next page; 0 if there were no messages'),
    messages: list('the messages', message),
  },
})

export const SearchMessages = clientMessage({
  type: 34,
  name: 'search_messages',
  about: 'Searches the messages that this user may read for a text, newest first, ignoring case, without wildcards.',
  allow: 'user',
  fields: {
    text: text('text to search for', { min: 1, max: 200 }),
    with: optional(line('only private messages with this user', { max: 255 }), ''),
    group: optional(line('only messages of this group; not together with `with`', { max: 255 }), ''),
    before: optional(uint64('only messages with a lower id; 0: the newest'), 0),
    limit: optional(uint16('most messages in the reply; 0: the server’s page size'), 0),
  },
  reply: SearchResult,
})

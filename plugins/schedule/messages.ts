import {
  bool,
  clientMessage,
  line,
  list,
  MAX_TEXT,
  oneOf,
  optional,
  serverMessage,
  text,
  uint8,
  uint16,
  uint32,
  uint64,
} from '../../core/wire/index.ts'
import { textStyle } from '../messages/fields.ts'

const id = uint32('number of the scheduled message')

export const MessageScheduled = serverMessage({
  type: 154,
  name: 'message_scheduled',
  about: 'The message is on disk and will be sent at that time, whether its sender is here or not.',
  fields: {
    id,
    at: uint64('when, milliseconds since 1970 UTC'),
    repeat: bool('true if this client id was scheduled before: number and time are the first one’s'),
  },
})

export const ScheduleMessage = clientMessage({
  type: 45,
  name: 'schedule_message',
  about:
    'Sends a message to a user or to a group at a set time, at most a year from now. Whether the sender may write there is checked then.',
  allow: 'user',
  fields: {
    text: text('the text, line breaks and all', { min: 1, max: MAX_TEXT }),
    to: optional(line('name of the recipient; empty for a group', { max: 255 }), ''),
    group: optional(line('name of the group; empty for a user', { max: 120 }), ''),
    at: optional(uint64('when, milliseconds since 1970 UTC; 0 where `delay` is given'), 0),
    delay: optional(uint64('milliseconds from now on, by the server’s clock; 0 where `at` is given'), 0),
    clientId: optional(
      line('the sender’s own id of it; scheduling the same again after a lost reply stores it only once', { max: 64 }),
      '',
    ),
    ...textStyle,
    hops: optional(uint8('one more than those of the message that a program answers here; 0 for a person'), 0),
  },
  reply: MessageScheduled,
})

export const ScheduledList = serverMessage({
  type: 155,
  name: 'scheduled_list',
  about: 'A page of scheduled messages of this user, in the order they were scheduled.',
  fields: {
    more: bool('true if there are more: ask again after the last number'),
    messages: list('the messages', {
      id,
      to: line('name of the recipient; empty for a group', { max: 255 }),
      group: line('name of the group; empty for a user', { max: 255 }),
      text: text('the text; empty once it was sent or cancelled', { max: MAX_TEXT }),
      at: uint64('when it is to be sent, milliseconds since 1970 UTC'),
      state: oneOf('what has become of it', ['waiting', 'sent', 'failed', 'cancelled']),
      reason: line('why it failed, or why it could not be sent so far', { max: 512 }),
      messageId: uint64('id of the message that it became; 0 if it did not'),
    }),
  },
})

export const QueryScheduled = clientMessage({
  type: 46,
  name: 'query_scheduled',
  about: 'Asks for this user’s scheduled messages. Those that are done are forgotten after 30 days.',
  allow: 'user',
  fields: {
    after: optional(uint32('only numbers above this one'), 0),
    limit: optional(uint16('at most so many; 0: the server’s page'), 0),
    all: optional(bool('also those that were sent, failed or cancelled'), false),
  },
  reply: ScheduledList,
})

export const CancelScheduled = clientMessage({
  type: 47,
  name: 'cancel_scheduled',
  about: 'Keeps a scheduled message from being sent.',
  allow: 'user',
  fields: { id },
})

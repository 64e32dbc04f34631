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
import { attachedFile, replyTo, textStyle } from '../messages/fields.ts'

const id = uint32('id of the scheduled message')

export const MessageScheduled = serverMessage({
  type: 154,
  name: 'message_scheduled',
  about: 'The message is on disk and will be sent at its time, whether its sender is online or not.',
  fields: {
    id,
    at: uint64('time of sending, milliseconds since 1970 UTC'),
    repeat: bool('true if a message with this client id was scheduled before; id and time are those of that message'),
  },
})

export const ScheduleMessage = clientMessage({
  type: 45,
  name: 'schedule_message',
  about:
    'Schedules a message to a user or a group, at most a year ahead. Permission to write there is checked when it is sent.',
  allow: 'user',
  fields: {
    text: text('text; may contain line breaks; empty only with `file`', { max: MAX_TEXT }),
    to: optional(line('name of the recipient; empty for a group', { max: 255 }), ''),
    group: optional(line('name of the group; empty for a user', { max: 120 }), ''),
    at: optional(uint64('time of sending, milliseconds since 1970 UTC; 0: use `delay`'), 0),
    delay: optional(uint64('milliseconds from now, by the server’s clock; 0: use `at`'), 0),
    clientId: optional(
      line(
        'idempotency key, unique per sender: a message scheduled again after a lost reply is stored once; empty: none',
        { max: 64 },
      ),
      '',
    ),
    ...textStyle,
    hops: optional(uint8('as in send_message'), 0),
    replyTo,
    file: attachedFile,
  },
  reply: MessageScheduled,
})

export const ScheduledList = serverMessage({
  type: 155,
  name: 'scheduled_list',
  about: 'A page of scheduled messages of this user, in the order in which they were scheduled.',
  fields: {
    more: bool('true if more follow: request the next page with the last id as `after`'),
    messages: list('the messages', {
      id,
      to: line('name of the recipient; empty for a group', { max: 255 }),
      group: line('name of the group; empty for a user', { max: 255 }),
      text: text('text; empty once the message was sent or cancelled', { max: MAX_TEXT }),
      at: uint64('time of sending, milliseconds since 1970 UTC'),
      state: oneOf('state of the scheduled message', ['waiting', 'sent', 'failed', 'cancelled']),
      reason: line('reason for which it failed, or for which the last attempt failed; otherwise empty', { max: 512 }),
      messageId: uint64('id of the sent message; 0 if it was not sent'),
      file: optional(uint64('id of the file; 0: none'), 0),
    }),
  },
})

export const QueryScheduled = clientMessage({
  type: 46,
  name: 'query_scheduled',
  about: 'Requests the scheduled messages of this user. Those sent, failed or cancelled are deleted after 30 days.',
  allow: 'user',
  fields: {
    after: optional(uint32('only messages with a higher id'), 0),
    limit: optional(uint16('most messages in the reply; 0: the server’s page size'), 0),
    all: optional(bool('true: include sent, failed and cancelled messages'), false),
  },
  reply: ScheduledList,
})

export const CancelScheduled = clientMessage({
  type: 47,
  name: 'cancel_scheduled',
  about: 'Cancels a scheduled message.',
  allow: 'user',
  fields: { id },
})

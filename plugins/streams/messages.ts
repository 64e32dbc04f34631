import {
  bool,
  clientMessage,
  line,
  MAX_TEXT,
  optional,
  serverMessage,
  text,
  uint8,
  uint32,
  uint64,
} from '../../core/wire/index.ts'
import { replyTo, textStyle } from '../messages/fields.ts'
import { MessageStored } from '../messages/messages.ts'

const stream = uint32('number of the stream, from `stream_ready`')
/** Offsets are in bytes, which every language counts alike. */
const at = uint32('offset in the text, in bytes of UTF-8')

export const StreamReady = serverMessage({
  type: 210,
  name: 'stream_ready',
  about: 'The stream is open on this session.',
  fields: {
    stream: uint32('number of the stream, unique while the server runs'),
    at: uint32('bytes of text that the server has: 0 for a new stream'),
  },
})

export const OpenStream = clientMessage({
  type: 117,
  name: 'open_stream',
  about: 'Opens a message whose text grows, or resumes an own one with the same client id.',
  allow: 'user',
  fields: {
    to: optional(line('name of the recipient; empty with `group`', { max: 255 }), ''),
    group: optional(line('name of the group; empty with `to`', { max: 120 }), ''),
    clientId: optional(
      line('client id of the message that the stream becomes, see send_message; empty: it cannot be resumed', {
        max: 64,
      }),
      '',
    ),
    hops: optional(uint8('length of the chain of bot replies, see send_message'), 0),
    replyTo,
  },
  reply: StreamReady,
})

export const StreamDelta = clientMessage({
  type: 118,
  name: 'stream_delta',
  about: 'Puts text into an open stream, and drops what was behind it.',
  allow: 'user',
  fields: { stream, at, text: text('the text', { min: 1, max: MAX_TEXT }) },
})

export const CloseStream = clientMessage({
  type: 119,
  name: 'close_stream',
  about: 'Ends an open stream: its text is sent as an ordinary message. The reply comes after the commit.',
  allow: 'user',
  fields: {
    stream,
    text: optional(text('text of the message; empty: the text of the stream', { max: MAX_TEXT }), ''),
    ...textStyle,
  },
  reply: MessageStored,
})

export const DiscardStream = clientMessage({
  type: 120,
  name: 'discard_stream',
  about: 'Ends an open stream without a message.',
  allow: 'user',
  fields: { stream },
})

export const FollowStreams = clientMessage({
  type: 122,
  name: 'follow_streams',
  about: 'Starts or stops the pushes of growing texts on this session.',
  allow: 'user',
  fields: { on: optional(bool('false: stop'), true) },
})

export const StreamOpened = serverMessage({
  type: 211,
  name: 'stream_opened',
  about: 'A message that this user may read begins to grow. Pushed only after `follow_streams`.',
  fields: {
    stream: uint32('number of the stream'),
    from: line('name of the sender', { max: 255 }),
    to: line('name of the recipient; empty in a group', { max: 255 }),
    group: line('name of the group; empty in private', { max: 120 }),
    hops: uint8('length of the chain of bot replies; 0: written by a person'),
    replyTo: uint64('id of the message of the same conversation that this one answers; 0: none'),
  },
})

export const StreamChanged = serverMessage({
  type: 212,
  name: 'stream_changed',
  about: 'The text of a stream has changed: this text replaces everything from `at` on.',
  fields: { stream: uint32('number of the stream'), at, text: text('the text from there on', { max: MAX_TEXT }) },
})

export const StreamClosed = serverMessage({
  type: 213,
  name: 'stream_closed',
  about: 'A stream has ended.',
  fields: {
    stream: uint32('number of the stream'),
    id: uint64('id of the message that it has become, which is delivered like any other; 0: there is none'),
  },
})

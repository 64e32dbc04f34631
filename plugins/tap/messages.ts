import {
  bool,
  clientMessage,
  int64,
  line,
  MAX_TEXT,
  oneOf,
  optional,
  serverMessage,
  text,
  uint32,
  uint64,
} from '../../core/wire/index.ts'

export const Tapped = serverMessage({
  type: 156,
  name: 'tapped',
  about: 'A message that a session sent or was sent, for an operator who taps.',
  fields: {
    at: uint64('when, milliseconds since 1970 UTC'),
    direction: oneOf('in: from the client, told when it was handled; out: from the server', ['in', 'out']),
    session: int64('number of the session, unique while the server runs'),
    user: line('who is logged in there; empty before login', { max: 255 }),
    name: line('name of the message', { max: 64 }),
    values: text('object of its fields; texts and bytes as their length unless asked for, secrets never', {
      max: MAX_TEXT,
    }),
    outcome: line('ok, or the name of the failure that the message tells', { max: 64 }),
    dropped: uint32('how many were lost just before this one: the tap was too slow, or they were too many'),
  },
})

export const Tap = clientMessage({
  type: 48,
  name: 'tap',
  about:
    'Pushes `tapped` for each message that sessions send and are sent from now on, until the connection ends; a second `tap` replaces the filter.',
  allow: 'operator',
  fields: {
    user: optional(line('only sessions of this user; empty: all', { max: 255 }), ''),
    type: optional(line('only messages of this name; empty: all', { max: 64 }), ''),
    group: optional(line('only messages that name this group, and replies to them; empty: all', { max: 255 }), ''),
    texts: optional(bool('also what was said; goes into the audit log'), false),
  },
})

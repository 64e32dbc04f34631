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
  about: 'A message between the server and one of its sessions.',
  fields: {
    at: uint64('time, milliseconds since 1970 UTC'),
    direction: oneOf('in: from the client, shown once it was handled; out: from the server', ['in', 'out']),
    session: int64('id of the session, unique on its node while the server runs'),
    user: line('name of the session’s user; empty before login', { max: 255 }),
    name: line('name of the message', { max: 64 }),
    values: text(
      'JSON object of its fields; texts and bytes are shown as their length unless `texts` is true, secrets never',
      {
        max: MAX_TEXT,
      },
    ),
    outcome: line('ok, or the name of the failure', { max: 64 }),
    dropped: uint32('number of messages left out just before this one: the tap was too slow, or over `tapRate`'),
    node: optional(uint32('node of a cluster that has the session; 0 for a server without other nodes'), 0),
  },
})

export const Tap = clientMessage({
  type: 48,
  name: 'tap',
  about:
    'Starts pushes of tapped for each message between the server and its sessions, in a cluster on all nodes, until the connection ends. A second tap replaces the filter.',
  allow: 'operator',
  fields: {
    user: optional(line('only sessions of this user; empty: all', { max: 255 }), ''),
    type: optional(line('only messages of this name; empty: all', { max: 64 }), ''),
    group: optional(line('only messages with this group, and replies to them; empty: all', { max: 255 }), ''),
    texts: optional(bool('true: show texts and bytes; recorded in the audit log'), false),
  },
})

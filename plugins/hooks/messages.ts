import {
  bool,
  clientMessage,
  line,
  list,
  oneOf,
  optional,
  serverMessage,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'

const hook = uint32('id of the hook')
const URL_CHARACTERS = 2048

export const HookSecret = serverMessage({
  type: 200,
  name: 'hook_secret',
  about: 'The secret with which the hook signs. It is shown once.',
  fields: { hook, secret: line('whsec_ and base64, for a library of Standard Webhooks', { max: 128 }) },
})

export const AddHook = clientMessage({
  type: 109,
  name: 'add_hook',
  about:
    'Adds an outgoing webhook: each further message that the user may read, except own ones, is posted to the URL. Recorded in the audit log.',
  allow: 'admin',
  fields: {
    user: userName('name of the user'),
    url: line('http or https', { min: 1, max: URL_CHARACTERS }),
    kinds: line('kinds of messages: private, group, system, separated by commas; empty: all', { max: 64 }),
    reply: bool('true: the text of a JSON answer becomes a message of the user in the same conversation'),
    to: list(
      'conversations; none: all',
      {
        user: line('name of the other user; empty for a group', { max: 255 }),
        group: line('name of the group; empty for a user', { max: 255 }),
      },
      { max: 50 },
    ),
  },
  reply: HookSecret,
})

export const HookList = serverMessage({
  type: 206,
  name: 'hook_list',
  about: 'A page of outgoing webhooks.',
  fields: {
    more: bool('true if more follow: request the next page with the last id as `after`'),
    hooks: list('the hooks', {
      hook,
      user: userName('name of the user'),
      url: line('where it posts to', { max: URL_CHARACTERS }),
      kinds: line('kinds of messages, separated by commas; empty: all', { max: 64 }),
      to: line('conversations, such as bob, @ops; empty: all', { max: 8192 }),
      reply: bool('whether its answers become messages'),
      state: oneOf('state of the hook', ['ok', 'failing', 'disabled']),
      reason: line('why it is disabled, or why the last attempt failed; otherwise empty', { max: 255 }),
      failingSince: uint64('first failure since the last success, milliseconds since 1970 UTC; 0: none'),
      pending: uint32('events that wait for an attempt; further ones may be in the database'),
      dead: uint32('events that were given up'),
      createdAt: uint64('milliseconds since 1970 UTC'),
    }),
  },
})

export const QueryHooks = clientMessage({
  type: 110,
  name: 'query_hooks',
  about: 'Requests the outgoing webhooks, in ascending order of id.',
  allow: 'admin',
  fields: { after: optional(uint32('only hooks with a higher id'), 0) },
  reply: HookList,
})

export const ChangeHook = clientMessage({
  type: 111,
  name: 'change_hook',
  about:
    'Removes, disables or enables an outgoing webhook. A disabled one keeps its place: enabled again it continues there. Recorded in the audit log.',
  allow: 'admin',
  fields: { hook, change: oneOf('what to do', ['remove', 'disable', 'enable']) },
})

export const RotateHook = clientMessage({
  type: 112,
  name: 'rotate_hook',
  about:
    'Gives an outgoing webhook a new secret. For 24 hours requests are signed with the former one too. Recorded in the audit log.',
  allow: 'admin',
  fields: { hook },
  reply: HookSecret,
})

export const Redelivering = serverMessage({
  type: 207,
  name: 'redelivering',
  about: 'The events are attempted again from now on.',
  fields: { events: uint32('number of events') },
})

export const Redeliver = clientMessage({
  type: 113,
  name: 'redeliver',
  about: 'Attempts events again that an outgoing webhook has given up.',
  allow: 'admin',
  fields: { hook, id: optional(uint64('id of the message; 0: all'), 0) },
  reply: Redelivering,
})

export const FailedEvents = serverMessage({
  type: 208,
  name: 'failed_events',
  about: 'A page of the events that an outgoing webhook has given up.',
  fields: {
    more: bool('true if more follow: request the next page with the last id as `after`'),
    events: list('the events', {
      id: uint64('id of the message'),
      attempts: uint32('number of attempts'),
      failedAt: uint64('time of the last attempt, milliseconds since 1970 UTC'),
      reason: line('why it failed', { max: 255 }),
    }),
  },
})

export const QueryFailedEvents = clientMessage({
  type: 226,
  name: 'query_failed_events',
  about: 'Requests the events that an outgoing webhook has given up, in ascending order of id.',
  allow: 'admin',
  fields: { hook, after: optional(uint64('only events with a higher id'), 0) },
  reply: FailedEvents,
})

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
} from '../../core/wire/index.ts'
import { TokenCreated } from '../tokens/messages.ts'

const name = line('name of the hook', { max: 256 })
const id = uint32('id of the hook')
const to = line('name of the user who gets the messages; empty for a group', { max: 255 })
const group = line('name of the group that gets the messages; empty for a user', { max: 120 })
const format = line('form of the requests; auto: recognised', { max: 32 })
const signed = bool('true: only requests with a signature (X-Hub-Signature-256) are taken')

export const CreateIncomingHook = clientMessage({
  type: 96,
  name: 'create_incoming_hook',
  about: 'Creates an address at which another program posts messages of this user to one user or group.',
  allow: 'user',
  fields: {
    name: line('name of the hook, at most 64 characters', { min: 1, max: 256 }),
    to: optional(to, ''),
    group: optional(group, ''),
    format: optional(
      oneOf('form of the requests; auto: recognised', ['auto', 'slack', 'discord', 'alertmanager', 'github', 'text']),
      'auto',
    ),
    signed: optional(signed, false),
  },
  reply: TokenCreated,
})

export const IncomingHooks = serverMessage({
  type: 197,
  name: 'incoming_hooks',
  about: 'The incoming hooks of this user, in the order in which they were created.',
  fields: {
    hooks: list(
      'the hooks',
      {
        id,
        name,
        to,
        group,
        format,
        signed,
        createdAt: uint64('time of its creation, milliseconds since 1970 UTC'),
        usedAt: uint64('time of its last use, within a minute, milliseconds since 1970 UTC; 0: none'),
      },
      { max: 200 },
    ),
  },
})

export const QueryIncomingHooks = clientMessage({
  type: 97,
  name: 'query_incoming_hooks',
  about: 'Requests the incoming hooks of this user.',
  allow: 'user',
  fields: {},
  reply: IncomingHooks,
})

export const RevokeIncomingHook = clientMessage({
  type: 98,
  name: 'revoke_incoming_hook',
  about: 'Revokes an incoming hook of this user.',
  allow: 'user',
  fields: { id },
})

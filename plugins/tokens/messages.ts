import {
  bool,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  text,
  uint32,
  uint64,
} from '../../core/wire/index.ts'

const name = line('name that the user gave the token', { max: 256 })
const id = uint32('id of the token')
const send = bool('true: it may send, edit and recall messages')
const read = bool('true: it may read messages, contacts and groups')
const manage = bool('true: it may do everything else that its user may, except with passwords, devices and tokens')
const targets = text('users, and groups with @ before the name, that it may reach, one a line; empty: all', {
  max: 16_384,
})

export const TokenCreated = serverMessage({
  type: 195,
  name: 'token_created',
  about: 'The token is valid from now on. It is not stored, and cannot be shown again.',
  fields: {
    id,
    token: line('the token, a secret', { max: 255 }),
    expiresAt: uint64('time from which it is not valid, milliseconds since 1970 UTC; 0: it does not expire'),
    secret: optional(line('key of signatures of an incoming hook; empty for a token', { max: 255 }), ''),
  },
})

export const CreateToken = clientMessage({
  type: 93,
  name: 'create_token',
  about: 'Creates a token, with which a program acts as this user over HTTP within its scopes.',
  allow: 'user',
  fields: {
    name: line('name of the token, at most 64 characters', { min: 1, max: 256 }),
    send,
    read,
    manage,
    targets: optional(targets, ''),
    expiresIn: optional(uint64('milliseconds for which it is valid; 0: 90 days'), 0),
  },
  reply: TokenCreated,
})

export const TokenList = serverMessage({
  type: 196,
  name: 'token_list',
  about: 'The valid tokens of this user, in the order in which they were created.',
  fields: {
    tokens: list(
      'the tokens',
      {
        id,
        name,
        send,
        read,
        manage,
        targets,
        createdAt: uint64('time of its creation, milliseconds since 1970 UTC'),
        expiresAt: uint64('time from which it is not valid, milliseconds since 1970 UTC'),
        usedAt: uint64('time of its last use, within a minute, milliseconds since 1970 UTC; 0: none'),
      },
      { max: 200 },
    ),
  },
})

export const QueryTokens = clientMessage({
  type: 94,
  name: 'query_tokens',
  about: 'Requests the valid tokens of this user.',
  allow: 'user',
  fields: {},
  reply: TokenList,
})

export const RevokeToken = clientMessage({
  type: 95,
  name: 'revoke_token',
  about: 'Revokes a token of this user, and ends the streams that were opened with it.',
  allow: 'user',
  fields: { id },
})

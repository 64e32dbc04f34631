import {
  bool,
  bytes,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  uint16,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'
import { preHash, role, scramKey } from '../accounts/fields.ts'

export const ActAs = clientMessage({
  type: 50,
  name: 'act_as',
  about: 'Makes this control connection a session of the user, without a password. Recorded in the audit log.',
  allow: 'operator',
  fields: { user: userName('name of the user') },
})

export const UserList = serverMessage({
  type: 150,
  name: 'user_list',
  about: 'A page of accounts.',
  fields: {
    more: bool('true if more accounts follow'),
    users: list('the accounts', {
      id: uint32('id of the user'),
      user: userName('name of the account'),
      nickname: line('display name', { max: 256 }),
      role: role('role of the account'),
      active: bool('false for a disabled account'),
      sessions: uint16('number of open sessions'),
      registeredAt: uint64('time of registration, milliseconds since 1970 UTC'),
    }),
  },
})

export const QueryUsers = clientMessage({
  type: 51,
  name: 'query_users',
  about: 'Requests accounts, in ascending order of id.',
  allow: 'admin',
  fields: { after: optional(uint32('only accounts with a higher id'), 0) },
  reply: UserList,
})

const verifier = {
  salt: bytes('salt from which the keys were derived', { min: 16, max: 64 }),
  iterations: uint32('iterations of PBKDF2-HMAC-SHA-256', { min: 4096, max: 1_000_000 }),
  storedKey: scramKey('StoredKey of RFC 5802'),
  serverKey: scramKey('ServerKey of RFC 5802'),
}

export const UserCreated = serverMessage({
  type: 151,
  name: 'user_created',
  about: 'The account was created.',
  fields: { id: uint32('id of the user'), user: userName('name of the account, in lower case') },
})

export const CreateUser = clientMessage({
  type: 52,
  name: 'create_user',
  about: 'Creates an account for another user.',
  allow: 'admin',
  fields: {
    user: userName('name of the new account'),
    ...verifier,
    nickname: optional(line('display name; empty: the user name', { max: 256 }), ''),
    role: optional(role('role of the account'), 'user'),
    preHash: preHash('hash applied to the password before key derivation; empty: none'),
  },
  reply: UserCreated,
})

export const SetUserActive = clientMessage({
  type: 53,
  name: 'set_user_active',
  about: 'Disables an account and ends its sessions, or enables it again.',
  allow: 'admin',
  fields: { user: userName('name of the account'), active: bool('true enables, false disables') },
})

export const SetUserPassword = clientMessage({
  type: 54,
  name: 'set_user_password',
  about: 'Replaces the keys of an account without its old password, and ends its sessions.',
  allow: 'admin',
  fields: {
    user: userName('name of the account'),
    ...verifier,
    preHash: preHash('hash applied to the password before key derivation; empty: none'),
  },
})

export const UserKicked = serverMessage({
  type: 153,
  name: 'user_kicked',
  about: 'The sessions of the user were ended.',
  fields: {
    sessions: uint16('number of sessions ended'),
    silentNodes: optional(
      line('nodes of a cluster that did not answer, with commas: their sessions of the user may go on', { max: 1000 }),
      '',
    ),
  },
})

export const KickUser = clientMessage({
  type: 55,
  name: 'kick_user',
  about: 'Ends all sessions of a user. The user may log in again; set_user_active prevents that.',
  allow: 'admin',
  fields: { user: userName('name of the account') },
  reply: UserKicked,
})

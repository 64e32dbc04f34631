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
  about: 'Makes this control connection a session of the user, without a password. Goes into the audit log.',
  allow: 'operator',
  fields: { user: userName('name of the user') },
})

export const UserList = serverMessage({
  type: 150,
  name: 'user_list',
  about: 'A page of accounts.',
  fields: {
    more: bool('true if there are more'),
    users: list('the accounts', {
      id: uint32('number of the user'),
      user: userName('name of the account'),
      nickname: line('shown to others', { max: 256 }),
      role: role('what the account may do'),
      active: bool('false for a disabled account'),
      sessions: uint16('sessions open now'),
      registeredAt: uint64('milliseconds since 1970 UTC'),
    }),
  },
})

export const QueryUsers = clientMessage({
  type: 51,
  name: 'query_users',
  about: 'Asks for accounts, in the order of their numbers.',
  allow: 'admin',
  fields: { after: optional(uint32('only numbers above this one'), 0) },
  reply: UserList,
})

const verifier = {
  salt: bytes('salt of the keys', { min: 16, max: 64 }),
  iterations: uint32('of PBKDF2-HMAC-SHA-256', { min: 4096, max: 1_000_000 }),
  storedKey: scramKey('StoredKey of RFC 5802'),
  serverKey: scramKey('ServerKey of RFC 5802'),
}

export const UserCreated = serverMessage({
  type: 151,
  name: 'user_created',
  about: 'The account exists.',
  fields: { id: uint32('number of the user'), user: userName('the name as it was taken') },
})

export const CreateUser = clientMessage({
  type: 52,
  name: 'create_user',
  about: 'Makes an account for someone else.',
  allow: 'admin',
  fields: {
    user: userName('the wanted name'),
    ...verifier,
    nickname: optional(line('shown to others; the name if empty', { max: 256 }), ''),
    role: optional(role('what the account may do'), 'user'),
    preHash: preHash('how the password was hashed before; empty: not at all'),
  },
  reply: UserCreated,
})

export const SetUserActive = clientMessage({
  type: 53,
  name: 'set_user_active',
  about: 'Disables an account, which ends its sessions, or enables it again.',
  allow: 'admin',
  fields: { user: userName('name of the account'), active: bool('false disables') },
})

export const SetUserPassword = clientMessage({
  type: 54,
  name: 'set_user_password',
  about: 'Sets new keys without the old password, and ends the account’s sessions.',
  allow: 'admin',
  fields: {
    user: userName('name of the account'),
    ...verifier,
    preHash: preHash('how the password was hashed before; empty: not at all'),
  },
})

export const UserKicked = serverMessage({
  type: 153,
  name: 'user_kicked',
  about: 'The sessions are ended.',
  fields: { sessions: uint16('how many there were') },
})

export const KickUser = clientMessage({
  type: 55,
  name: 'kick_user',
  about: 'Ends all sessions of a user, who may log in again; set_user_active is what keeps someone out.',
  allow: 'admin',
  fields: { user: userName('name of the account') },
  reply: UserKicked,
})

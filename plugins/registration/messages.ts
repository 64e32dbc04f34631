import { bytes, clientMessage, line, optional, serverMessage, uint16, uint32, userName } from '../../core/wire/index.ts'
import { preHash, scramKey } from '../accounts/fields.ts'

export const Salt = serverMessage({
  type: 128,
  name: 'salt',
  about: 'The salt and the iteration count for new keys.',
  fields: {
    salt: bytes('the client’s 16 bytes, then the server’s 16 bytes', { min: 32, max: 32 }),
    iterations: uint32('iterations of PBKDF2-HMAC-SHA-256'),
    preHash: preHash('hash to apply to the password before key derivation; empty: none'),
    minPassword: optional(uint16('minimum length of a password, in characters; clients refuse shorter ones'), 0),
  },
})

export const NewSalt = clientMessage({
  type: 8,
  name: 'new_salt',
  about:
    'Requests a salt for register or change_password on the same connection. Client and server each contribute half.',
  allow: 'any',
  fields: { clientSalt: bytes('random bytes of the client', { min: 16, max: 16 }) },
  reply: Salt,
})

export const RegisterSuccessful = serverMessage({
  type: 101,
  name: 'register_successful',
  about: 'The account was created. The connection is not logged in.',
  fields: { id: uint32('id of the user'), user: userName('name of the account, in lower case') },
})

export const Register = clientMessage({
  type: 2,
  name: 'register',
  about: 'Creates an account. Only keys derived from the password are sent, never the password.',
  allow: 'anonymous',
  fields: {
    user: userName('name of the account: at most 32 of a-z 0-9 . _ -, beginning with a letter or digit'),
    storedKey: scramKey('StoredKey of RFC 5802, for the salt of the last new_salt'),
    serverKey: scramKey('ServerKey of RFC 5802, for the same salt'),
    nickname: optional(line('display name; empty: the user name', { max: 256 }), ''),
    preHash: preHash('hash applied to the password before key derivation, as `salt` requires; empty: none'),
  },
  reply: RegisterSuccessful,
})

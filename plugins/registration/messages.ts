import { bytes, clientMessage, line, optional, serverMessage, uint16, uint32, userName } from '../../core/wire/index.ts'
import { preHash, scramKey } from '../accounts/fields.ts'

export const Salt = serverMessage({
  type: 128,
  name: 'salt',
  about: 'The salt and the iteration count to derive new keys with.',
  fields: {
    salt: bytes('the client’s 16 bytes, then the server’s 16 bytes', { min: 32, max: 32 }),
    iterations: uint32('of PBKDF2-HMAC-SHA-256'),
    preHash: preHash('how to hash the password before deriving keys from it; empty: not at all'),
    minPassword: optional(uint16('characters that a password has at least; clients refuse shorter ones'), 0),
  },
})

export const NewSalt = clientMessage({
  type: 8,
  name: 'new_salt',
  about: 'Asks for a salt that both ends made, before register or change_password on the same connection.',
  allow: 'any',
  fields: { clientSalt: bytes('random bytes of the client', { min: 16, max: 16 }) },
  reply: Salt,
})

export const RegisterSuccessful = serverMessage({
  type: 101,
  name: 'register_successful',
  about: 'The account exists; log in on this or another connection.',
  fields: { id: uint32('number of the user'), user: userName('the name as it was taken, in lower case') },
})

export const Register = clientMessage({
  type: 2,
  name: 'register',
  about: 'Makes an account. The password stays with the client: only keys derived from it are sent.',
  allow: 'anonymous',
  fields: {
    user: userName('the wanted name: a-z, 0-9, then also . _ -, at most 32'),
    storedKey: scramKey('StoredKey of RFC 5802, for the salt of the last new_salt'),
    serverKey: scramKey('ServerKey of RFC 5802, for the same salt'),
    nickname: optional(line('shown to others; the name if empty', { max: 256 }), ''),
    preHash: preHash('how the password was hashed before, as the salt asked for'),
  },
  reply: RegisterSuccessful,
})

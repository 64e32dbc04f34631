import { clientMessage, line, optional, serverMessage, uint32, userName } from '../../core/wire/index.ts'
import { preHash, role, scramKey } from '../accounts/fields.ts'

const scramText = (about: string) => line(about, { min: 1, max: 1024 })

export const LoginChallenge = serverMessage({
  type: 130,
  name: 'login_challenge',
  about: 'The server’s half of the SCRAM exchange. Unknown names get one too.',
  fields: {
    serverFirst: scramText('server-first-message of RFC 5802'),
    preHash: preHash('how to hash the password before deriving keys from it; empty: not at all'),
  },
})

export const Login = clientMessage({
  type: 1,
  name: 'login',
  about: 'Begins a login, or proves the old password before change_password.',
  allow: 'any',
  fields: { clientFirst: scramText('client-first-message of RFC 5802, with the header p=noise-h,,') },
  reply: LoginChallenge,
})

export const LoginSuccessful = serverMessage({
  type: 100,
  name: 'login_successful',
  about: 'Logged in. The client checks serverFinal before it trusts this server.',
  fields: {
    serverFinal: scramText('server-final-message of RFC 5802'),
    id: uint32('number of the user'),
    user: userName('the name of the account'),
    nickname: line('shown to others', { max: 256 }),
    role: role('what the account may do'),
    epoch: optional(
      line('generation of the database: another one than before means that message ids may name other messages now', {
        max: 64,
      }),
      '',
    ),
  },
})

export const LoginProof = clientMessage({
  type: 9,
  name: 'login_proof',
  about: 'Ends a login.',
  allow: 'anonymous',
  fields: { clientFinal: scramText('client-final-message of RFC 5802, bound to the handshake hash') },
  reply: LoginSuccessful,
})

export const ChangePassword = clientMessage({
  type: 10,
  name: 'change_password',
  about: 'Sets new keys, after login (for the challenge) and new_salt. The user’s other sessions are closed.',
  allow: 'user',
  fields: {
    clientFinal: scramText('client-final-message that proves the old password'),
    storedKey: scramKey('StoredKey of the new password, for the salt of the last new_salt'),
    serverKey: scramKey('ServerKey of the new password, for the same salt'),
    preHash: preHash('how the new password was hashed before, as the salt asked for'),
  },
})

export const Logout = clientMessage({
  type: 88,
  name: 'logout',
  about: 'Ends the session: after the reply the server says closing and closes.',
  allow: 'any',
  fields: {},
})

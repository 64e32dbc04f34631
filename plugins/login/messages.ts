import { clientMessage, line, optional, serverMessage, uint32, userName } from '../../core/wire/index.ts'
import { preHash, role, scramKey } from '../accounts/fields.ts'

const scramText = (about: string) => line(about, { min: 1, max: 1024 })

export const LoginChallenge = serverMessage({
  type: 130,
  name: 'login_challenge',
  about: 'The challenge of the SCRAM exchange. Names without an account get one too.',
  fields: {
    serverFirst: scramText('server-first-message of RFC 5802'),
    preHash: preHash('hash to apply to the password before key derivation; empty: none'),
  },
})

export const Login = clientMessage({
  type: 1,
  name: 'login',
  about: 'Starts a login, or requests the challenge for change_password.',
  allow: 'any',
  fields: { clientFirst: scramText('client-first-message of RFC 5802, with the header p=noise-h,,') },
  reply: LoginChallenge,
})

export const LoginSuccessful = serverMessage({
  type: 100,
  name: 'login_successful',
  about: 'The login succeeded. The client verifies serverFinal before it trusts the server.',
  fields: {
    serverFinal: scramText('server-final-message of RFC 5802'),
    id: uint32('id of the user'),
    user: userName('name of the account'),
    nickname: line('display name', { max: 256 }),
    role: role('role of the account'),
    epoch: optional(
      line('generation of the database; after a change, message ids may refer to other messages', {
        max: 64,
      }),
      '',
    ),
  },
})

export const LoginProof = clientMessage({
  type: 9,
  name: 'login_proof',
  about: 'Completes a login with the proof of the password.',
  allow: 'anonymous',
  fields: { clientFinal: scramText('client-final-message of RFC 5802, bound to the handshake hash') },
  reply: LoginSuccessful,
})

export const ChangePassword = clientMessage({
  type: 10,
  name: 'change_password',
  about:
    'Replaces the keys of this user, after login (for the challenge) and new_salt. Closes the user’s other sessions.',
  allow: 'user',
  fields: {
    clientFinal: scramText('client-final-message that proves the old password'),
    storedKey: scramKey('StoredKey of the new password, for the salt of the last new_salt'),
    serverKey: scramKey('ServerKey of the new password, for the same salt'),
    preHash: preHash('hash applied to the new password before key derivation, as `salt` requires; empty: none'),
  },
})

export const Logout = clientMessage({
  type: 88,
  name: 'logout',
  about: 'Ends the session. After the reply, the server sends closing and closes the connection.',
  allow: 'any',
  fields: {},
})

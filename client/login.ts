import { deviceProof, ScramError, startLogin } from '../core/scram/index.ts'
import { LoginDevice } from '../plugins/devices/messages.ts'
import { Login, LoginProof } from '../plugins/login/messages.ts'
import type { Connection } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { ClientError } from './errors.ts'
import type { Identity } from './types.ts'

/** A device that was added to an account, and its private key. */
export interface DeviceCredentials {
  readonly user: string
  /** Id of the device. */
  readonly device: number
  /** Signs with ECDSA on P-256 and SHA-256: r and s of 32 bytes each, as WebCrypto does. */
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>
}

/** Logs in with the key of a device. @throws RefusedByServer `login_failed` and others */
export async function logInWithDevice(
  connection: Connection,
  { user, device, sign }: DeviceCredentials,
  limit: () => AbortSignal,
): Promise<Identity> {
  const signature = await sign(deviceProof(user, connection.handshakeHash))
  return connection.request(LoginDevice, { user, device, signature }, { signal: limit() })
}

/**
 * Logs in on a connection.
 * @param limit creates the time limit of one request; called for each, because deriving keys may take seconds in between
 * @throws RefusedByServer, ClientError
 */
export async function logIn(
  connection: Connection,
  credentials: Credentials,
  limit: () => AbortSignal,
): Promise<Identity> {
  try {
    const exchange = startLogin(credentials.user)
    const challenge = await connection.request(Login, { clientFirst: exchange.clientFirst }, { signal: limit() })
    const source = credentials.source(challenge.preHash)
    const answer = await exchange.answer(challenge.serverFirst, connection.handshakeHash, source)
    const proof = { clientFinal: answer.clientFinal }
    const { serverFinal, ...identity } = await connection.request(LoginProof, proof, { signal: limit() })
    answer.verifyServerFinal(serverFinal)
    return identity
  } catch (error) {
    if (!(error instanceof ScramError)) throw error
    const text = error.code === 'password' ? error.message : `the server failed the login: ${error.message}`
    throw new ClientError('authentication', text, { cause: error })
  }
}

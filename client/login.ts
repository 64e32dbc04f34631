import { ScramError, startLogin } from '../core/scram/index.ts'
import type { ValuesOf } from '../core/wire/index.ts'
import { Login, LoginProof, type LoginSuccessful } from '../plugins/login/messages.ts'
import type { Connection } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { ClientError } from './errors.ts'

/**
 * Logs in on a connection.
 * @param limit creates the time limit of one request; called for each, because deriving keys may take seconds in between
 * @throws RefusedByServer, ClientError
 */
export async function logIn(
  connection: Connection,
  credentials: Credentials,
  limit: () => AbortSignal,
): Promise<Omit<ValuesOf<typeof LoginSuccessful>, 'serverFinal'>> {
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

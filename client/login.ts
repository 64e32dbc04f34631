import { ScramError, startLogin } from '../core/scram/index.ts'
import type { ValuesOf } from '../core/wire/index.ts'
import { Login, LoginProof, type LoginSuccessful } from '../plugins/login/messages.ts'
import type { Credentials } from './credentials.ts'
import { ClientError } from './errors.ts'
import type { Line } from './line.ts'

/**
 * Logs in on a connection. The signals are made when they are needed: deriving keys may take seconds of CPU.
 * @param limit the time limit of one request
 * @throws RefusedByServer, ClientError
 */
export async function logIn(
  line: Line,
  credentials: Credentials,
  limit: () => AbortSignal,
): Promise<Omit<ValuesOf<typeof LoginSuccessful>, 'serverFinal'>> {
  try {
    const exchange = startLogin(credentials.user)
    const challenge = await line.request(Login, { clientFirst: exchange.clientFirst }, { signal: limit() })
    const source = credentials.source(challenge.preHash)
    const answer = await exchange.answer(challenge.serverFirst, line.handshakeHash, source)
    const proof = { clientFinal: answer.clientFinal }
    const { serverFinal, ...identity } = await line.request(LoginProof, proof, { signal: limit() })
    answer.verifyServerFinal(serverFinal)
    return identity
  } catch (error) {
    if (!(error instanceof ScramError)) throw error
    const who = error.code === 'password' ? error.message : `the server failed the login: ${error.message}`
    throw new ClientError('authentication', who, { cause: error })
  }
}

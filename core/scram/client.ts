import { ScramError } from './errors.ts'
import { type ClientKeys, checkParameters } from './keys.ts'
import { authMessage, clientProof, sameBytes, serverSignature } from './proof.ts'
import {
  channelBinding,
  checkNonce,
  checkText,
  createNonce,
  escapeName,
  GS2_HEADER,
  malformed,
  readAttributes,
  readBase64,
  readHash,
} from './text.ts'

/** Returns the keys for this salt and count: cached, or from deriveKeys. Called only after both were checked. */
export type KeySource = (salt: Buffer, iterations: number) => ClientKeys | Promise<ClientKeys>

/** A login after the client's first message. */
export interface Login {
  /** To send: client-first-message. */
  readonly clientFirst: string
  /**
   * Answers the server's challenge.
   *
   * @param handshakeHash h of the Noise handshake that this login travels in, 32 bytes
   * @throws ScramError `malformed`, `nonce`, `iterations` or `binding`, all before keysFor is called; and whatever
   *   keysFor throws
   */
  answer(serverFirst: string, handshakeHash: Uint8Array, keysFor: KeySource): Promise<Answer>
}

/** A login after the client's second message. */
export interface Answer {
  /** To send: client-final-message. */
  readonly clientFinal: string
  /**
   * Checks the server's proof that it knows the account. Before that, do not trust the server: do not pin its key, and
   * send no messages.
   *
   * @throws ScramError `signature` for another server, `proof` when it refused the login, `malformed`
   */
  verifyServerFinal(serverFinal: string): void
}

/**
 * Starts a login (RFC 5802 §5), always bound to the Noise handshake.
 *
 * @param clientNonce fresh for each login; only tests pass one
 * @throws ScramError `malformed` when the name is empty, too long or contains a NUL
 */
export function startLogin(user: string, clientNonce: string = createNonce()): Login {
  if (user === '') throw malformed('no user name')
  const bare = `n=${escapeName(user)},r=${checkNonce(clientNonce)}`
  return {
    clientFirst: checkText(GS2_HEADER + bare),
    async answer(serverFirst, handshakeHash, keysFor) {
      const { nonce, salt, iterations } = readServerFirst(serverFirst, clientNonce)
      const withoutProof = `c=${channelBinding(handshakeHash)},r=${nonce}`
      const keys = await keysFor(salt, iterations)
      return answerWith(keys, authMessage(bare, serverFirst, withoutProof), withoutProof)
    },
  }
}

function answerWith(keys: ClientKeys, message: string, withoutProof: string): Answer {
  return {
    clientFinal: `${withoutProof},p=${clientProof(keys.clientKey, message).toString('base64')}`,
    verifyServerFinal(serverFinal) {
      if (sameBytes(readServerFinal(serverFinal), serverSignature(keys.serverKey, message))) return
      throw new ScramError('signature', 'the server does not know this account')
    },
  }
}

function readServerFirst(text: string, clientNonce: string) {
  const { r, s, i } = readAttributes(checkText(text), 'r', 's', 'i')
  const nonce = checkNonce(r)
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) {
    throw new ScramError('nonce', 'the server did not extend the nonce of this login')
  }
  const salt = readBase64(s)
  if (!/^[1-9][0-9]*$/.test(i)) throw malformed('not an iteration count')
  const iterations = Number(i)
  checkParameters(salt, iterations)
  return { nonce, salt, iterations }
}

/** The server signature in server-final-message. */
function readServerFinal(text: string): Buffer {
  if (checkText(text).startsWith('e=')) throw new ScramError('proof', 'the server refused the login')
  return readHash(readAttributes(text, 'v').v)
}

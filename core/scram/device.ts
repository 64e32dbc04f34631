import { Buffer } from '#platform/runtime'
import { ScramError } from './errors.ts'
import { HASH_LENGTH } from './keys.ts'

const LABEL = 'chatctl-device-v1'

/**
 * What a device signs to log in: label, name of the user and handshake hash, with a zero byte behind each text. A
 * signature is good for one connection only, since each has another hash.
 * @throws ScramError `binding` when there is no hash to bind to
 */
export function deviceProof(user: string, handshakeHash: Uint8Array): Buffer {
  if (handshakeHash.length !== HASH_LENGTH) throw new ScramError('binding', 'no finished Noise handshake to bind to')
  return Buffer.concat([Buffer.from(`${LABEL}\0${user}\0`), handshakeHash])
}

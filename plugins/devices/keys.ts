import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import { Refused } from '../../core/index.ts'
import type { Verifier } from '../../core/scram/index.ts'
import { formatVerifier } from '../accounts/verifier.ts'

/** SubjectPublicKeyInfo of an uncompressed point on P-256, up to the point (RFC 5480). */
const SPKI_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')
const POINT_BYTES = 65
const CURVE = 'prime256v1'

const spki = (der: Buffer): KeyObject => createPublicKey({ key: der, format: 'der', type: 'spki' })

/** The stored form of a public key. @throws Refused `invalid_value` */
export function checkPublicKey(bytes: Uint8Array): string {
  const der = bytes.length === POINT_BYTES ? Buffer.concat([SPKI_HEAD, bytes]) : Buffer.from(bytes)
  let key: KeyObject
  try {
    key = spki(der)
  } catch {
    throw new Refused('invalid_value', 'the public key cannot be read')
  }
  if (key.asymmetricKeyDetails?.namedCurve !== CURVE)
    throw new Refused('invalid_value', 'the public key is not on the curve P-256')
  return key.export({ format: 'der', type: 'spki' }).toString('base64')
}

/** Verified in place of the key of a device that does not exist: the same work as for one that does. */
const DECOY = generateKeyPairSync('ec', { namedCurve: CURVE }).publicKey

/** Whether a signature is of that key; false without a key. */
export function isSignedBy(publicKey: string | undefined, data: Uint8Array, signature: Uint8Array): boolean {
  const key = publicKey === undefined ? DECOY : spki(Buffer.from(publicKey, 'base64'))
  return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature) && publicKey !== undefined
}

/** Changes with the password of an account. */
export const hashOfVerifier = (verifier: Verifier): string =>
  createHash('sha256')
    .update(`device ${formatVerifier(verifier)}`)
    .digest('hex')

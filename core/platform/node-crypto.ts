import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
  pbkdf2,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { Crypto } from './port.ts'

export { randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * A KeyObject: importing a raw key costs more than a DH (0.4 ms against 0.05 ms), and a KeyObject does not reveal its
 * secret when it is logged.
 */
export type PrivateKey = KeyObject
type Port = Crypto<PrivateKey>

const EMPTY = Buffer.alloc(0)
const CIPHER = 'aes-256-gcm'
const TAG_LENGTH = 16
// Without authTagLength, node:crypto also accepts tags of 4 bytes.
const CIPHER_OPTIONS = { authTagLength: TAG_LENGTH }

// PKCS #8 header of a raw X25519 private key (RFC 8410).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

const pbkdf2Async = promisify(pbkdf2)

// Half the time of createHash.
export const sha256: Port['sha256'] = (...parts) => hash('sha256', Buffer.concat(parts), 'buffer')

export const newSha256: Port['newSha256'] = () => {
  const hash = createHash('sha256')
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
}

export const hmacSha256: Port['hmacSha256'] = (key, data) => createHmac('sha256', key).update(data).digest()

export const hkdfSha256: Port['hkdfSha256'] = (salt, inputKeyMaterial, length) =>
  Buffer.from(hkdfSync('sha256', inputKeyMaterial, salt, EMPTY, length))

export const md5Hex: Port['md5Hex'] = (text) => createHash('md5').update(text).digest('hex')

/** On the thread pool. */
export const pbkdf2Sha256: Port['pbkdf2Sha256'] = (password, salt, iterations, length) =>
  pbkdf2Async(password, salt, iterations, length, 'sha256')

/** Types of Node lack the encoding as JWK. */
type GenerateJwk = (
  type: 'x25519',
  options: { readonly publicKeyEncoding: { readonly format: 'jwk' } },
) => { readonly publicKey: { readonly x: string }; readonly privateKey: KeyObject }

// The public key as JWK spares a DH. Not generateKeyPairSync().publicKey.export({ format: 'jwk' }): Node 20 deadlocks if the
// garbage collector frees the job that has generated the key during it; here that job is still running.
export const generateKeyPair: Port['generateKeyPair'] = () => {
  const generate = generateKeyPairSync as unknown as GenerateJwk
  const { publicKey, privateKey } = generate('x25519', { publicKeyEncoding: { format: 'jwk' } })
  return { publicKey: Buffer.from(publicKey.x, 'base64url'), privateKey }
}

export const importPrivateKey: Port['importPrivateKey'] = (raw) =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), format: 'der', type: 'pkcs8' })

export const exportPrivateKey: Port['exportPrivateKey'] = (key) =>
  key.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length)

// The DH takes half the time of an export as DER.
export const publicKeyOf: Port['publicKeyOf'] = (privateKey) => diffieHellman({ privateKey, publicKey: BASE_POINT })

export const x25519: Port['x25519'] = (privateKey, publicKey) => {
  try {
    return diffieHellman({ privateKey, publicKey: importPublicKey(publicKey) })
  } catch {
    // OpenSSL refuses points of low order; the lengths were checked.
    return undefined
  }
}

export const aesGcmSeal: Port['aesGcmSeal'] = (key, iv, ad, plaintext, out) => {
  const cipher = createCipheriv(CIPHER, key, iv, CIPHER_OPTIONS)
  if (ad.length > 0) cipher.setAAD(ad)
  cipher.update(plaintext).copy(out)
  cipher.final()
  cipher.getAuthTag().copy(out, plaintext.length)
}

export const aesGcmOpen: Port['aesGcmOpen'] = (key, iv, ad, ciphertext) => {
  const end = ciphertext.length - TAG_LENGTH
  const decipher = createDecipheriv(CIPHER, key, iv, CIPHER_OPTIONS).setAuthTag(ciphertext.subarray(end))
  // An empty one takes a fifth of the whole time, and changes nothing.
  if (ad.length > 0) decipher.setAAD(ad)
  const plaintext = decipher.update(ciphertext.subarray(0, end))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plaintext
}

/** The last imported key: a handshake has two DHs with the key of the peer. */
let imported: { readonly x: string; readonly key: KeyObject } | undefined

// As JWK: OpenSSL takes ten times as long to parse DER.
function importPublicKey(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString('base64url')
  if (imported?.x !== x)
    imported = { x, key: createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' }) }
  return imported.key
}

// The DH of a private key with this point is the public key (RFC 7748 section 6.1).
const BASE_POINT = importPublicKey(Buffer.concat([Buffer.of(9)], 32))

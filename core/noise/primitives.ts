import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { NoiseError } from './noise-error.ts'

/** Bytes of a public key, a private key and a DH output: DHLEN of 25519 (spec section 12.1). */
export const DH_LENGTH = 32

/** Bytes of a SHA-256 output: HASHLEN (spec section 12.5). */
export const HASH_LENGTH = 32

/** Bytes that encryption adds: the whole GCM tag (spec section 12.4). */
export const TAG_LENGTH = 16

/** Empty payload, associated data or prologue. */
export const EMPTY = Buffer.alloc(0)

const CIPHER = 'aes-256-gcm'
const KEY_LENGTH = 32
// Without authTagLength, node:crypto also accepts tags of 4 bytes.
const CIPHER_OPTIONS = { authTagLength: TAG_LENGTH }

// Reserved for rekeying (spec section 5.1), which this protocol does not use.
const RESERVED_NONCE = 2n ** 64n - 1n

// PKCS #8 header of a raw X25519 private key (RFC 8410).
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

// The DH of a private key with this point is the public key (RFC 7748 section 6.1).
const BASE_POINT = importPublicKey(Buffer.concat([Buffer.of(9)], DH_LENGTH))

/**
 * X25519 key pair. The private key is a KeyObject: importing a raw key costs more than a DH (0.4 ms against 0.05 ms), and
 * a KeyObject does not reveal its secret when it is logged.
 */
export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Buffer
  readonly privateKey: KeyObject
}

/** GENERATE_KEYPAIR (spec section 4.1). */
export function generateKeyPair(): KeyPair {
  return keyPair(generateKeyPairSync('x25519').privateKey)
}

/** Imports a stored private key; slow, so not per connection. @throws NoiseError `key` unless it has 32 bytes */
export function keyPairFromPrivateKey(raw: Uint8Array): KeyPair {
  if (raw.length !== DH_LENGTH) throw new NoiseError('key')
  return keyPair(createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), format: 'der', type: 'pkcs8' }))
}

/** The 32 raw bytes of the private key. Store them with mode 0600, and use them for nothing else (spec section 14). */
export function exportPrivateKey(pair: KeyPair): Buffer {
  return pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length)
}

/**
 * DH (spec sections 4.1 and 12.1): 32 bytes.
 * @throws NoiseError `key` unless `publicKey` has 32 bytes, and for low-order points. Noise discourages the second check,
 *   but OpenSSL and browsers make it
 */
export function dh(pair: KeyPair, publicKey: Uint8Array): Buffer {
  if (publicKey.length !== DH_LENGTH) throw new NoiseError('key')
  try {
    return diffieHellman({ privateKey: pair.privateKey, publicKey: importPublicKey(publicKey) })
  } catch {
    throw new NoiseError('key')
  }
}

/** HASH (spec section 4.3) of the concatenated parts. */
export function sha256(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

/** HKDF (spec section 4.3) with two outputs of 32 bytes; NX never needs three. */
export function hkdf(chainingKey: Uint8Array, inputKeyMaterial: Uint8Array): [Buffer, Buffer] {
  const output = Buffer.from(hkdfSync('sha256', inputKeyMaterial, chainingKey, EMPTY, 2 * HASH_LENGTH))
  return [output.subarray(0, HASH_LENGTH), output.subarray(HASH_LENGTH)]
}

/** AES-GCM nonce of record n: 4 zero bytes, then 64 bits big-endian (spec section 12.4). @throws `exhausted` for 2^64 - 1 */
export function nonce(n: bigint | number): Buffer {
  if (BigInt(n) >= RESERVED_NONCE) throw new NoiseError('exhausted')
  const iv = Buffer.alloc(12)
  iv.writeBigUInt64BE(BigInt(n), 4)
  return iv
}

/**
 * ENCRYPT (spec section 4.2): ciphertext and tag, 16 bytes longer than the plaintext, in `out` if given.
 * @throws NoiseError `key` unless the key has 32 bytes, `length` unless `out` has exactly that length
 */
export function aesGcmEncrypt(
  key: Uint8Array,
  iv: Uint8Array,
  ad: Uint8Array,
  plaintext: Uint8Array,
  out: Buffer = Buffer.allocUnsafe(plaintext.length + TAG_LENGTH),
): Buffer {
  if (key.length !== KEY_LENGTH) throw new NoiseError('key')
  if (out.length !== plaintext.length + TAG_LENGTH) throw new NoiseError('length')
  const cipher = createCipheriv(CIPHER, key, iv, CIPHER_OPTIONS).setAAD(ad)
  cipher.update(plaintext).copy(out)
  cipher.final()
  cipher.getAuthTag().copy(out, plaintext.length)
  return out
}

/** DECRYPT (spec section 4.2). @throws NoiseError `decrypt` for a wrong tag, `length` below 16 bytes, `key` as above */
export function aesGcmDecrypt(key: Uint8Array, iv: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array): Buffer {
  if (key.length !== KEY_LENGTH) throw new NoiseError('key')
  if (ciphertext.length < TAG_LENGTH) throw new NoiseError('length')
  const end = ciphertext.length - TAG_LENGTH
  const decipher = createDecipheriv(CIPHER, key, iv, CIPHER_OPTIONS).setAAD(ad).setAuthTag(ciphertext.subarray(end))
  const plaintext = decipher.update(ciphertext.subarray(0, end))
  try {
    decipher.final()
  } catch {
    throw new NoiseError('decrypt')
  }
  return plaintext
}

/** Fingerprint of a public key in the form of ssh: `SHA256:` and the unpadded base64 of the hash of its 32 bytes. */
export function fingerprint(publicKey: Uint8Array): string {
  return `SHA256:${sha256(publicKey).toString('base64').replace(/=+$/, '')}`
}

// Not generateKeyPairSync().publicKey.export({ format: 'jwk' }): Node 20 deadlocks if the garbage collector runs during
// it. The DH is as fast; an export as DER is slower.
function keyPair(privateKey: KeyObject): KeyPair {
  return { publicKey: diffieHellman({ privateKey, publicKey: BASE_POINT }), privateKey }
}

// As JWK: OpenSSL takes ten times as long to parse DER.
function importPublicKey(raw: Uint8Array): KeyObject {
  const key = { kty: 'OKP', crv: 'X25519', x: Buffer.from(raw).toString('base64url') }
  return createPublicKey({ key, format: 'jwk' })
}

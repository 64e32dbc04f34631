import {
  aesGcmOpen,
  aesGcmSeal,
  hkdfSha256,
  importPrivateKey,
  generateKeyPair as newKeyPair,
  type PrivateKey,
  exportPrivateKey as privateBytes,
  publicKeyOf,
  sha256,
  x25519,
} from '#platform/crypto'
import { Buffer } from '#platform/runtime'
import { NoiseError } from './noise-error.ts'

export { sha256 }

/** Bytes of a public key, a private key and a DH output: DHLEN of 25519 (spec section 12.1). */
export const DH_LENGTH = 32

/** Bytes of a SHA-256 output: HASHLEN (spec section 12.5). */
export const HASH_LENGTH = 32

/** Bytes that encryption adds: the whole GCM tag (spec section 12.4). */
export const TAG_LENGTH = 16

/** Empty payload, associated data or prologue. */
export const EMPTY = Buffer.alloc(0)

const KEY_LENGTH = 32

// Reserved for rekeying (spec section 5.1), which this protocol does not use.
const RESERVED_NONCE = 2n ** 64n - 1n

/** X25519 key pair. The private key does not reveal its secret when it is logged. */
export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Buffer
  readonly privateKey: PrivateKey
}

/** GENERATE_KEYPAIR (spec section 4.1). */
export const generateKeyPair: () => KeyPair = newKeyPair

/** Imports a stored private key; slow, so not per connection. @throws NoiseError `key` unless it has 32 bytes */
export function keyPairFromPrivateKey(raw: Uint8Array): KeyPair {
  if (raw.length !== DH_LENGTH) throw new NoiseError('key')
  const privateKey = importPrivateKey(raw)
  return { publicKey: publicKeyOf(privateKey), privateKey }
}

/** The 32 raw bytes of the private key. Store them with mode 0600, and use them for nothing else (spec section 14). */
export function exportPrivateKey(pair: KeyPair): Buffer {
  return privateBytes(pair.privateKey)
}

/**
 * DH (spec sections 4.1 and 12.1): 32 bytes.
 * @throws NoiseError `key` unless `publicKey` has 32 bytes, and for low-order points. Noise discourages the second check,
 *   but OpenSSL and browsers make it
 */
export function dh(pair: KeyPair, publicKey: Uint8Array): Buffer {
  if (publicKey.length !== DH_LENGTH) throw new NoiseError('key')
  const shared = x25519(pair.privateKey, publicKey)
  if (shared === undefined) throw new NoiseError('key')
  return shared
}

/** HKDF (spec section 4.3) with two outputs of 32 bytes; NX never needs three. */
export function hkdf(chainingKey: Uint8Array, inputKeyMaterial: Uint8Array): [Buffer, Buffer] {
  const output = hkdfSha256(chainingKey, inputKeyMaterial, 2 * HASH_LENGTH)
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
  aesGcmSeal(key, iv, ad, plaintext, out)
  return out
}

/** DECRYPT (spec section 4.2). @throws NoiseError `decrypt` for a wrong tag, `length` below 16 bytes, `key` as above */
export function aesGcmDecrypt(key: Uint8Array, iv: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array): Buffer {
  if (key.length !== KEY_LENGTH) throw new NoiseError('key')
  if (ciphertext.length < TAG_LENGTH) throw new NoiseError('length')
  const plaintext = aesGcmOpen(key, iv, ad, ciphertext)
  if (plaintext === undefined) throw new NoiseError('decrypt')
  return plaintext
}

/** Fingerprint of a public key in the form of ssh: `SHA256:` and the unpadded base64 of the hash of its 32 bytes. */
export function fingerprint(publicKey: Uint8Array): string {
  return `SHA256:${sha256(publicKey).toString('base64').replace(/=+$/, '')}`
}

import { gcm } from '@noble/ciphers/aes.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { md5 } from '@noble/hashes/legacy.js'
import { pbkdf2Async } from '@noble/hashes/pbkdf2.js'
import { sha256 as sha2 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { Buffer } from './browser-runtime.ts'
import { x25519 as curve } from './browser-x25519.ts'
import type { Crypto } from './port.ts'

// In JavaScript, because WebCrypto is asynchronous and the Noise states are not; PBKDF2 alone is worth the wait.

/** Hides the secret from logs. */
export class PrivateKey {
  readonly #raw: Uint8Array

  constructor(raw: Uint8Array) {
    this.#raw = Uint8Array.from(raw)
  }

  get publicKey(): Uint8Array {
    return curve.getPublicKey(this.#raw)
  }

  /** @throws Error for a public key of low order */
  sharedWith(publicKey: Uint8Array): Uint8Array {
    return curve.getSharedSecret(this.#raw, publicKey)
  }

  export(): Uint8Array {
    return Uint8Array.from(this.#raw)
  }
}

type Port = Crypto<PrivateKey>

const asBuffer = ({ buffer, byteOffset, length }: Uint8Array) => Buffer.from(buffer as ArrayBuffer, byteOffset, length)
const toBytes = (data: string | Uint8Array) => (typeof data === 'string' ? utf8ToBytes(data) : data)

export const randomBytes: Port['randomBytes'] = (length) => asBuffer(crypto.getRandomValues(new Uint8Array(length)))

export const sha256: Port['sha256'] = (...parts) => asBuffer(sha2(Buffer.concat(parts)))

export const newSha256: Port['newSha256'] = () => {
  const hash = sha2.create()
  return { update: (bytes) => void hash.update(bytes), digest: () => asBuffer(hash.digest()) }
}

export const hmacSha256: Port['hmacSha256'] = (key, data) => asBuffer(hmac(sha2, key, toBytes(data)))

export const hkdfSha256: Port['hkdfSha256'] = (salt, inputKeyMaterial, length) =>
  asBuffer(hkdf(sha2, inputKeyMaterial, salt, undefined, length))

export const md5Hex: Port['md5Hex'] = (text) => bytesToHex(md5(utf8ToBytes(text)))

export const pbkdf2Sha256: Port['pbkdf2Sha256'] = async (password, salt, iterations, length) => {
  const secret = toBytes(password)
  // Browsers have it in secure contexts only (https, or http on localhost); without it this takes ten times as long.
  const subtle: typeof crypto.subtle | undefined = crypto.subtle
  if (subtle === undefined) return asBuffer(await pbkdf2Async(sha2, secret, salt, { c: iterations, dkLen: length }))
  const key = await subtle.importKey('raw', secret, 'PBKDF2', false, ['deriveBits'])
  const derivation = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations }
  return Buffer.from(await subtle.deriveBits(derivation, key, 8 * length))
}

export const timingSafeEqual: Port['timingSafeEqual'] = (a, b) => {
  let difference = 0
  for (const [index, byte] of a.entries()) difference |= byte ^ (b[index] ?? 0)
  return difference === 0
}

export const generateKeyPair: Port['generateKeyPair'] = () => {
  const privateKey = new PrivateKey(curve.utils.randomSecretKey())
  return { publicKey: publicKeyOf(privateKey), privateKey }
}

export const importPrivateKey: Port['importPrivateKey'] = (raw) => new PrivateKey(raw)

export const exportPrivateKey: Port['exportPrivateKey'] = (key) => asBuffer(key.export())

export const publicKeyOf: Port['publicKeyOf'] = (key) => asBuffer(key.publicKey)

export const x25519: Port['x25519'] = (key, publicKey) => {
  try {
    return asBuffer(key.sharedWith(publicKey))
  } catch {
    // The library refuses points of low order; the lengths were checked.
    return undefined
  }
}

export const aesGcmSeal: Port['aesGcmSeal'] = (key, iv, ad, plaintext, out) => {
  out.set(gcm(key, iv, ad).encrypt(plaintext))
}

export const aesGcmOpen: Port['aesGcmOpen'] = (key, iv, ad, ciphertext) => {
  const cipher = gcm(key, iv, ad)
  try {
    return asBuffer(cipher.decrypt(ciphertext))
  } catch {
    // A wrong tag; the lengths were checked.
    return undefined
  }
}

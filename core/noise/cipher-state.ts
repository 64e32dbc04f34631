import { NoiseError } from './noise-error.ts'
import { aesGcmDecrypt, aesGcmEncrypt, nonce } from './primitives.ts'

/**
 * Records per key: n runs from 0 to 2^32 - 1; then the client reconnects. Noise allows 2^64 - 1 (spec section 5.1). This
 * stays below the 2^56 bytes of AES-GCM (section 14) and keeps n exact in a JavaScript number.
 */
export const MAX_RECORDS = 2 ** 32

/** The nonce of the record in hand, of all keys: encryption is synchronous and keeps no reference to it. */
const iv = nonce(0)
/** Offset of the lower 32 bits of n. */
const IV_COUNTER = 8

/**
 * One direction of an encrypted connection (spec section 5.1): a key and the number n of its next record. Unlike the
 * spec's it always has a key, so that it never passes plaintext through.
 */
export class CipherState {
  readonly #key: Uint8Array
  #n: number

  /** @param key 32 bytes. @param n number of the first record, for a copy */
  constructor(key: Uint8Array, n = 0) {
    this.#key = key
    this.#n = n
  }

  /** Number of the next record, which is the count of records so far. */
  get n(): number {
    return this.#n
  }

  /**
   * Returns ciphertext and 16-byte tag, in `out` if given, which must be exactly 16 bytes longer than `plaintext`.
   * n advances only on success.
   * @throws NoiseError `exhausted` after MAX_RECORDS
   */
  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array, out?: Buffer): Buffer {
    const ciphertext = aesGcmEncrypt(this.#key, this.#nonce(), ad, plaintext, out)
    this.#n++
    return ciphertext
  }

  /**
   * Returns the plaintext. n advances only on success, so a forged record does not prevent reading the genuine one.
   * @throws NoiseError `decrypt` for a wrong tag, `length` below 16 bytes, `exhausted` after MAX_RECORDS
   */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Buffer {
    const plaintext = aesGcmDecrypt(this.#key, this.#nonce(), ad, ciphertext)
    this.#n++
    return plaintext
  }

  /** A copy with the same key and n. Encrypt with one of the two only: a nonce must not be used twice. */
  clone(): CipherState {
    return new CipherState(this.#key, this.#n)
  }

  #nonce(): Buffer {
    if (this.#n >= MAX_RECORDS) throw new NoiseError('exhausted')
    iv.writeUInt32BE(this.#n, IV_COUNTER)
    return iv
  }
}

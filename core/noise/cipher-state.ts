import { NoiseError } from './noise-error.ts'
import { aesGcmDecrypt, aesGcmEncrypt, nonce } from './primitives.ts'

/**
 * Records per key: n runs from 0 to 2^32 - 1. Noise allows 2^64 - 1 (spec section 5.1); this is far below the 2^56
 * bytes of AES-GCM (section 14), keeps n exact in a JavaScript number, and whoever gets there reconnects.
 */
export const MAX_RECORDS = 2 ** 32

/**
 * One direction of an encrypted connection (spec section 5.1): a key and the number n of its next record.
 * Unlike the one of the spec it always has a key, so it can never let a plaintext pass through.
 */
export class CipherState {
  readonly #key: Uint8Array
  #n: number

  /** `key` has 32 bytes. `n` is the first record's number, for a copy that goes on where another one stands. */
  constructor(key: Uint8Array, n = 0) {
    this.#key = key
    this.#n = n
  }

  /** The number of the next record, and so how many have passed. */
  get n(): number {
    return this.#n
  }

  /**
   * The ciphertext and its 16-byte tag, written to `out` if given, which must be exactly 16 bytes longer than
   * `plaintext`. Throws NoiseError `exhausted` after MAX_RECORDS. n advances only on success.
   */
  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array, out?: Buffer): Buffer {
    const ciphertext = aesGcmEncrypt(this.#key, this.#nonce(), ad, plaintext, out)
    this.#n++
    return ciphertext
  }

  /**
   * The plaintext. Throws NoiseError `decrypt` on a wrong tag, `length` on less than 16 bytes, `exhausted` after
   * MAX_RECORDS. n advances only on success, so that a forged record does not stop the true one from being read.
   */
  decryptWithAd(ad: Uint8Array, ciphertext: Uint8Array): Buffer {
    const plaintext = aesGcmDecrypt(this.#key, this.#nonce(), ad, ciphertext)
    this.#n++
    return plaintext
  }

  /** A second one with the same key and n. Use only one of the two for encrypting: a nonce must not be used twice. */
  clone(): CipherState {
    return new CipherState(this.#key, this.#n)
  }

  #nonce(): Buffer {
    if (this.#n >= MAX_RECORDS) throw new NoiseError('exhausted')
    return nonce(this.#n)
  }
}

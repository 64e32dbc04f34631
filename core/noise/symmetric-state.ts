import { Buffer } from '#platform/runtime'
import { CipherState } from './cipher-state.ts'
import { EMPTY, HASH_LENGTH, hkdf, sha256 } from './primitives.ts'

/** Symmetric state of a handshake (spec section 5.2): the chaining key ck, the hash h and, after a DH, a cipher. */
export class SymmetricState {
  #ck: Buffer
  #h: Buffer
  #cipher: CipherState | undefined

  /** For `initializeSymmetric` and `clone`. */
  private constructor(ck: Buffer, h: Buffer, cipher?: CipherState) {
    this.#ck = ck
    this.#h = h
    this.#cipher = cipher
  }

  /** Starts from the ASCII name of the protocol: zero-padded, or hashed if longer than 32 bytes. */
  static initializeSymmetric(protocolName: string): SymmetricState {
    const name = Buffer.from(protocolName, 'ascii')
    const h = name.length > HASH_LENGTH ? sha256(name) : Buffer.concat([name], HASH_LENGTH)
    return new SymmetricState(h, h)
  }

  /** Handshake hash: unique to the session, the same at both ends, not secret (spec section 11.2). */
  get h(): Buffer {
    return this.#h
  }

  /** Whether a DH was mixed in, from which on everything is encrypted. */
  get hasKey(): boolean {
    return this.#cipher !== undefined
  }

  mixKey(inputKeyMaterial: Uint8Array): void {
    const [ck, key] = hkdf(this.#ck, inputKeyMaterial)
    this.#ck = ck
    this.#cipher = new CipherState(key)
  }

  mixHash(data: Uint8Array): void {
    this.#h = sha256(this.#h, data)
  }

  /** Encrypts if there is a key, and mixes the output into h. */
  encryptAndHash(plaintext: Uint8Array): Buffer {
    const ciphertext = this.#cipher?.encryptWithAd(this.#h, plaintext) ?? Buffer.from(plaintext)
    this.mixHash(ciphertext)
    return ciphertext
  }

  /**
   * Decrypts if there is a key, and mixes the input into h. The result is never a view of `ciphertext`.
   * @throws NoiseError as `CipherState.decryptWithAd`; nothing is changed then
   */
  decryptAndHash(ciphertext: Uint8Array): Buffer {
    const plaintext = this.#cipher?.decryptWithAd(this.#h, ciphertext) ?? Buffer.from(ciphertext)
    this.mixHash(ciphertext)
    return plaintext
  }

  /** The ciphers of the connection: initiator to responder, then responder to initiator. */
  split(): [CipherState, CipherState] {
    const [key1, key2] = hkdf(this.#ck, EMPTY)
    return [new CipherState(key1), new CipherState(key2)]
  }

  /** A copy, on which a step can fail without changing the original. */
  clone(): SymmetricState {
    return new SymmetricState(this.#ck, this.#h, this.#cipher?.clone())
  }
}

import { CipherState } from './cipher-state.ts'
import { EMPTY, HASH_LENGTH, hkdf, sha256 } from './primitives.ts'

/** The symmetric half of a handshake (spec section 5.2): the chaining key ck, the hash h and, after a DH, a cipher. */
export class SymmetricState {
  #ck: Buffer
  #h: Buffer
  #cipher: CipherState | undefined

  /** Meant for `initializeSymmetric` and `clone`. */
  private constructor(ck: Buffer, h: Buffer, cipher?: CipherState) {
    this.#ck = ck
    this.#h = h
    this.#cipher = cipher
  }

  /** Starts from the ASCII name of the protocol, padded with zeros or, beyond 32 bytes, hashed. */
  static initializeSymmetric(protocolName: string): SymmetricState {
    const name = Buffer.from(protocolName, 'ascii')
    const h = name.length > HASH_LENGTH ? sha256(name) : Buffer.concat([name], HASH_LENGTH)
    return new SymmetricState(h, h)
  }

  /** The handshake hash: different in every session, the same at both ends, no secret (spec section 11.2). */
  get h(): Buffer {
    return this.#h
  }

  /** Whether a DH has happened, and so whether what follows is encrypted. */
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

  /** Encrypts if there is a key, and mixes what is sent into h. */
  encryptAndHash(plaintext: Uint8Array): Buffer {
    const ciphertext = this.#cipher?.encryptWithAd(this.#h, plaintext) ?? Buffer.from(plaintext)
    this.mixHash(ciphertext)
    return ciphertext
  }

  /**
   * Decrypts if there is a key, and mixes what was received into h. The result is never a view of `ciphertext`.
   * Throws as `CipherState.decryptWithAd` does, and then changes nothing.
   */
  decryptAndHash(ciphertext: Uint8Array): Buffer {
    const plaintext = this.#cipher?.decryptWithAd(this.#h, ciphertext) ?? Buffer.from(ciphertext)
    this.mixHash(ciphertext)
    return plaintext
  }

  /** The ciphers of the connection: first from initiator to responder, then back. */
  split(): [CipherState, CipherState] {
    const [key1, key2] = hkdf(this.#ck, EMPTY)
    return [new CipherState(key1), new CipherState(key2)]
  }

  /** A copy to try a step on, while the original stays as it is. */
  clone(): SymmetricState {
    return new SymmetricState(this.#ck, this.#h, this.#cipher?.clone())
  }
}

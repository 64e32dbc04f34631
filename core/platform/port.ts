/**
 * What the client library needs of its platform. Node and browsers implement it; `imports` in package.json chooses:
 * `#platform/runtime` and `#platform/crypto` are `browser-*.ts` under the condition `browser`, otherwise `node-*.ts`.
 */
export interface Runtime {
  readonly Buffer: typeof Buffer
  /** Decodes UTF-8; undefined for invalid bytes. */
  readUtf8(bytes: Buffer, start: number, end: number): string | undefined
  /** Runs a task after the events that wait in this turn of the event loop. */
  afterTurn(task: () => void): void
  /** Many may listen to a signal at once, which Node takes for a leak. */
  allowListeners(signal: AbortSignal): void
}

/** A hash of bytes that come in parts. */
export interface RunningHash {
  update(bytes: Uint8Array): void
  /** Ends it. */
  digest(): Buffer
}

/** Primitives without the checks of their callers: `core/noise` and `core/scram` check lengths and name the errors. */
export interface Crypto<PrivateKey> {
  randomBytes(length: number): Buffer
  /** SHA-256 of the concatenated parts. */
  sha256(...parts: Uint8Array[]): Buffer
  newSha256(): RunningHash
  /** Strings are encoded as UTF-8. */
  hmacSha256(key: Uint8Array, data: string | Uint8Array): Buffer
  /** HKDF-SHA-256 without info. */
  hkdfSha256(salt: Uint8Array, inputKeyMaterial: Uint8Array, length: number): Buffer
  /** Lower-case hex digits of the MD5 of a text in UTF-8. */
  md5Hex(text: string): string
  /** PBKDF2-HMAC-SHA-256, without blocking the event loop for long. */
  pbkdf2Sha256(password: string | Uint8Array, salt: Uint8Array, iterations: number, length: number): Promise<Buffer>
  /** Compares arrays of the same length in constant time. */
  timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean
  generateKeyPair(): { readonly publicKey: Buffer; readonly privateKey: PrivateKey }
  /** @param raw 32 bytes */
  importPrivateKey(raw: Uint8Array): PrivateKey
  exportPrivateKey(key: PrivateKey): Buffer
  publicKeyOf(key: PrivateKey): Buffer
  /** X25519. @param publicKey 32 bytes. @returns undefined for a public key of low order */
  x25519(key: PrivateKey, publicKey: Uint8Array): Buffer | undefined
  /** AES-256-GCM: writes ciphertext and tag to `out`, which is 16 bytes longer than the plaintext. */
  aesGcmSeal(key: Uint8Array, iv: Uint8Array, ad: Uint8Array, plaintext: Uint8Array, out: Buffer): void
  /** @param ciphertext with its tag of 16 bytes. @returns undefined for a wrong tag */
  aesGcmOpen(key: Uint8Array, iv: Uint8Array, ad: Uint8Array, ciphertext: Uint8Array): Buffer | undefined
}

import { Buffer } from '#platform/runtime'
import type { CipherState } from './cipher-state.ts'
import { type DhToken, type HandshakePattern, MAX_MESSAGE_LENGTH, NX, type Token } from './handshake-pattern.ts'
import { NoiseError } from './noise-error.ts'
import { DH_LENGTH, dh, EMPTY, generateKeyPair, type KeyPair, TAG_LENGTH } from './primitives.ts'
import { SymmetricState } from './symmetric-state.ts'

export interface HandshakeOptions {
  /** Default NX. */
  readonly pattern?: HandshakePattern
  readonly initiator: boolean
  /** Data that both ends must agree on (spec section 6). */
  readonly prologue: Uint8Array
  /** This end's static key pair, where the pattern needs one: in NX, the responder's. */
  readonly s?: KeyPair
  /** Fixed ephemeral key pair, for test vectors only: a second handshake with it would reuse keys. */
  readonly e?: KeyPair
}

/** Result of a finished handshake. */
export interface HandshakeResult {
  readonly send: CipherState
  readonly receive: CipherState
  /** Channel binding, 32 bytes: unique to this session, not secret (spec section 11.2). */
  readonly handshakeHash: Buffer
  /** The peer's static key, 32 bytes. The peer has proven to own it; the caller decides whether to trust it (section 14). */
  readonly remoteStatic: Buffer | undefined
}

/** Variables of the spec that a message changes. */
interface Progress {
  readonly symmetric: SymmetricState
  e?: KeyPair
  re?: Buffer
  rs?: Buffer
}

/**
 * One side of a handshake (spec section 5.3). Each message works on a copy of the progress, which replaces the original
 * at the end: a step that throws changes nothing and may be repeated. (The spec deletes the state instead; callers close
 * the connection on every NoiseError, which has the same effect.)
 */
export class HandshakeState {
  readonly #pattern: HandshakePattern
  readonly #initiator: boolean
  readonly #keys: Pick<HandshakeOptions, 's' | 'e'>
  #progress: Progress
  #turn = 0
  #result: HandshakeResult | undefined

  constructor({ pattern = NX, initiator, prologue, ...keys }: HandshakeOptions) {
    this.#pattern = pattern
    this.#initiator = initiator
    this.#keys = keys
    this.#progress = { symmetric: SymmetricState.initializeSymmetric(`Noise_${pattern.name}_25519_AESGCM_SHA256`) }
    this.#progress.symmetric.mixHash(prologue)
  }

  /** Set by the last message of the pattern, undefined before. */
  get result(): HandshakeResult | undefined {
    return this.#result
  }

  /**
   * Makes the next message. A payload before the first DH (in NX: in message 1) is not encrypted.
   * @throws NoiseError `state` out of turn or without `s`, `key` for a low-order key of the peer, `length` above 65,535 bytes
   */
  writeMessage(payload: Uint8Array = EMPTY): Buffer {
    const { tokens, next } = this.#begin(this.#initiator)
    const parts = tokens.map((token) => this.#writeToken(next, token))
    const message = Buffer.concat([...parts, next.symmetric.encryptAndHash(payload)])
    if (message.length > MAX_MESSAGE_LENGTH) throw new NoiseError('length')
    this.#commit(next)
    return message
  }

  /**
   * Reads the peer's next message and returns its payload.
   * @throws NoiseError `state` out of turn, `decrypt` if it was changed or the prologues differ, `key` for a low-order key,
   *   `length` if it is too long, or too short for its keys
   */
  readMessage(message: Uint8Array): Buffer {
    if (message.length > MAX_MESSAGE_LENGTH) throw new NoiseError('length')
    const { tokens, next } = this.#begin(!this.#initiator)
    let rest = message
    for (const token of tokens) rest = this.#readToken(next, token, rest)
    const payload = next.symmetric.decryptAndHash(rest)
    this.#commit(next)
    return payload
  }

  /** The tokens of the next message and a copy of the progress. @throws NoiseError `state` if the other side sends it */
  #begin(byInitiator: boolean): { tokens: readonly Token[]; next: Progress } {
    const tokens = this.#pattern.messages[this.#turn]
    if (!tokens || byInitiator !== (this.#turn % 2 === 0)) throw new NoiseError('state')
    return { tokens, next: { ...this.#progress, symmetric: this.#progress.symmetric.clone() } }
  }

  /** Returns the bytes to send for the token. */
  #writeToken(next: Progress, token: Token): Buffer {
    if (token === 'e') {
      next.e = this.#keys.e ?? generateKeyPair()
      next.symmetric.mixHash(next.e.publicKey)
      return next.e.publicKey
    }
    if (token === 's') {
      if (!this.#keys.s) throw new NoiseError('state')
      return next.symmetric.encryptAndHash(this.#keys.s.publicKey)
    }
    this.#mixDh(next, token)
    return EMPTY
  }

  /** Returns the bytes after the token. */
  #readToken(next: Progress, token: Token, bytes: Uint8Array): Uint8Array {
    if (token === 'e') {
      next.re = Buffer.from(firstBytes(bytes, DH_LENGTH))
      next.symmetric.mixHash(next.re)
      return bytes.subarray(DH_LENGTH)
    }
    if (token === 's') {
      const length = next.symmetric.hasKey ? DH_LENGTH + TAG_LENGTH : DH_LENGTH
      next.rs = next.symmetric.decryptAndHash(firstBytes(bytes, length))
      return bytes.subarray(length)
    }
    this.#mixDh(next, token)
    return bytes
  }

  #mixDh(next: Progress, token: DhToken): void {
    const [own, peer] = this.#initiator ? [token[0], token[1]] : [token[1], token[0]]
    const pair = own === 'e' ? next.e : this.#keys.s
    const publicKey = peer === 'e' ? next.re : next.rs
    if (!pair || !publicKey) throw new NoiseError('state')
    next.symmetric.mixKey(dh(pair, publicKey))
  }

  #commit(next: Progress): void {
    this.#progress = next
    this.#turn++
    if (this.#turn < this.#pattern.messages.length) return
    const [c1, c2] = next.symmetric.split()
    const [send, receive] = this.#initiator ? [c1, c2] : [c2, c1]
    this.#result = { send, receive, handshakeHash: next.symmetric.h, remoteStatic: next.rs }
  }
}

function firstBytes(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length < length) throw new NoiseError('length')
  return bytes.subarray(0, length)
}

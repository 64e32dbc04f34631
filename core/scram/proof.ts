import { timingSafeEqual } from '#platform/crypto'
import { Buffer } from '#platform/runtime'
import { hmac, storedKey } from './keys.ts'

/** AuthMessage of RFC 5802 §3, which proof and signature cover: each text byte for byte as sent. */
export function authMessage(clientFirstBare: string, serverFirst: string, clientFinalWithoutProof: string): string {
  return `${clientFirstBare},${serverFirst},${clientFinalWithoutProof}`
}

/** ClientProof = ClientKey XOR ClientSignature (RFC 5802 §3). */
export function clientProof(clientKey: Uint8Array, message: string): Buffer {
  return xor(clientKey, hmac(storedKey(clientKey), message))
}

/** Whether the proof was made with the ClientKey of this StoredKey (RFC 5802 §3), in constant time. */
export function proofMatches(proof: Uint8Array, storedKeyOfUser: Uint8Array, message: string): boolean {
  const clientKey = xor(proof, hmac(storedKeyOfUser, message))
  return sameBytes(storedKey(clientKey), storedKeyOfUser)
}

/** ServerSignature = HMAC(ServerKey, AuthMessage) (RFC 5802 §3). */
export function serverSignature(serverKey: Uint8Array, message: string): Buffer {
  return hmac(serverKey, message)
}

/** Compares in constant time for equal lengths; timingSafeEqual throws on unequal ones. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))
}

import { Buffer } from '#platform/runtime'
import { HandshakeState, keyPairFromPrivateKey, NX } from '../../../core/noise/index.ts'
import { aesGcmDecrypt, aesGcmEncrypt, dh } from '../../../core/noise/primitives.ts'
import { deriveKeys, storedKey } from '../../../core/scram/index.ts'
import { hi, hmac } from '../../../core/scram/keys.ts'

type Vector = { readonly [name: string]: string }

const hex = (text = '') => Buffer.from(text, 'hex')

/** Compares results in hex; a refusal is `refused`. */
class Checks {
  readonly failed: string[] = []
  count = 0

  is(label: string, actual: () => Uint8Array, expected: string | undefined) {
    this.count++
    let result: string
    try {
      result = Buffer.from(actual()).toString('hex')
    } catch {
      result = 'refused'
    }
    if (result !== expected) this.failed.push(`${label}: ${result}, expected ${expected}`)
  }
}

/** The Noise messages of a vector for NX, and its handshake hash. */
function playNx(checks: Checks, vector: Vector & { readonly messages: readonly Vector[] }) {
  const side = (role: 'init' | 'resp') =>
    new HandshakeState({
      pattern: NX,
      initiator: role === 'init',
      prologue: hex(vector[`${role}_prologue`]),
      e: keyPairFromPrivateKey(hex(vector[`${role}_ephemeral`])),
      ...(role === 'resp' && { s: keyPairFromPrivateKey(hex(vector.resp_static)) }),
    })
  const sides = [side('init'), side('resp')] as const
  const none = Buffer.alloc(0)
  for (const [index, { payload, ciphertext }] of vector.messages.entries()) {
    const [writer, reader] = index % 2 === 0 ? sides : ([sides[1], sides[0]] as const)
    const [send, receive] = [writer.result?.send, reader.result?.receive]
    const label = `${vector.source}, message ${index}`
    checks.is(label, () => send?.encryptWithAd(none, hex(payload)) ?? writer.writeMessage(hex(payload)), ciphertext)
    checks.is(
      label,
      () => receive?.decryptWithAd(none, hex(ciphertext)) ?? reader.readMessage(hex(ciphertext)),
      payload,
    )
  }
  if (vector.handshake_hash !== undefined)
    for (const { result } of sides) checks.is('hash', () => result?.handshakeHash ?? none, vector.handshake_hash)
}

/**
 * Checks the platform that this module was loaded on against the published vectors: in Node, and in browsers, where ava
 * does not run.
 * @param vectors contents of test/vectors
 * @returns how many values were compared, and those that differ
 */
// biome-ignore lint/suspicious/noExplicitAny: the vectors are JSON of many forms
export async function checkConformance(vectors: { readonly noise: any; readonly crypto: any }) {
  const checks = new Checks()
  const { noise, crypto } = vectors
  for (const vector of noise.vectors)
    if (vector.protocol_name === 'Noise_NX_25519_AESGCM_SHA256') playNx(checks, vector)
  for (const { tcId, flags, public: peer, private: own, shared } of crypto.x25519_wycheproof.vectors)
    checks.is(
      `X25519 ${tcId}`,
      () => dh(keyPairFromPrivateKey(hex(own)), hex(peer)),
      flags.includes('ZeroSharedSecret') ? 'refused' : shared,
    )
  for (const { tcId, key, iv, aad, msg, ct, tag, result } of crypto.aes256_gcm_wycheproof.vectors) {
    const isValid = result === 'valid'
    const sealed = hex(ct + tag)
    checks.is(`AES-GCM ${tcId}`, () => aesGcmDecrypt(hex(key), hex(iv), hex(aad), sealed), isValid ? msg : 'refused')
    if (isValid) checks.is(`AES-GCM ${tcId}`, () => aesGcmEncrypt(hex(key), hex(iv), hex(aad), hex(msg)), ct + tag)
  }
  for (const { tcId, key, msg, tag } of crypto.hmac_sha256_wycheproof.vectors)
    checks.is(`HMAC ${tcId}`, () => hmac(hex(key), hex(msg)), tag)
  for (const { tcId, password, salt, iterationCount, dkLen, dk } of crypto.pbkdf2_hmac_sha256_wycheproof.vectors) {
    const bytes = Math.min(dkLen, 32)
    const key = await hi(hex(password), hex(salt), iterationCount)
    checks.is(`PBKDF2 ${tcId}`, () => key.subarray(0, bytes), dk.slice(0, 2 * bytes))
  }
  // The account of RFC 7677 section 3, and the keys of the vector that is bound to a handshake.
  const keys = await deriveKeys('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096)
  checks.is('StoredKey', () => storedKey(keys.clientKey), crypto.scram_sha256_bound_derived.stored_key)
  checks.is('ServerKey', () => keys.serverKey, crypto.scram_sha256_bound_derived.server_key)
  return { count: checks.count, failed: checks.failed }
}

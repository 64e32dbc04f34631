import { Buffer } from '#platform/runtime'
import { type CipherState, MAX_RECORDS } from './cipher-state.ts'
import { MAX_MESSAGE_LENGTH } from './handshake-pattern.ts'
import { NoiseError } from './noise-error.ts'
import { EMPTY, TAG_LENGTH } from './primitives.ts'

/**
 * First 8 bytes that a client sends, in clear: the protocol's name and version. They are also the prologue of the
 * handshake, so a man in the middle cannot change the version (spec sections 6 and 14, Rollback).
 */
export const MAGIC: Buffer = Buffer.from('CHATCTL\x01', 'latin1')

/** Most bytes of plaintext in a record: 65,519. */
export const MAX_RECORD_PLAINTEXT = MAX_MESSAGE_LENGTH - TAG_LENGTH

const PREFIX_LENGTH = 2

/** Prefixes a handshake message with its length, 16 bits big-endian (spec section 13, Length fields). */
export function frame(message: Uint8Array): Buffer {
  if (message.length > MAX_MESSAGE_LENGTH) throw new NoiseError('length')
  const framed = Buffer.allocUnsafe(PREFIX_LENGTH + message.length)
  framed.set(message, framed.writeUInt16BE(message.length))
  return framed
}

/**
 * Encrypts plaintext of any length into length-prefixed records, in one buffer; empty plaintext gives no record.
 * @throws NoiseError `exhausted` if the key has too few records left; nothing is encrypted then
 */
export function sealRecords(cipher: CipherState, plaintext: Uint8Array): Buffer {
  const records = Math.ceil(plaintext.length / MAX_RECORD_PLAINTEXT)
  if (cipher.n + records > MAX_RECORDS) throw new NoiseError('exhausted')
  const sealed = Buffer.allocUnsafe(plaintext.length + records * (PREFIX_LENGTH + TAG_LENGTH))
  let at = 0
  for (let from = 0; from < plaintext.length; from += MAX_RECORD_PLAINTEXT) {
    const piece = plaintext.subarray(from, from + MAX_RECORD_PLAINTEXT)
    const start = sealed.writeUInt16BE(piece.length + TAG_LENGTH, at)
    at = start + piece.length + TAG_LENGTH
    cipher.encryptWithAd(EMPTY, piece, sealed.subarray(start, at))
  }
  return sealed
}

/**
 * Decrypts a record, without its length prefix.
 * @throws NoiseError `length` below 16 bytes; `decrypt` unless it is the peer's next record, unchanged; `exhausted`
 */
export function openRecord(cipher: CipherState, record: Uint8Array): Buffer {
  return cipher.decryptWithAd(EMPTY, record)
}

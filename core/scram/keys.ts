import { hmacSha256, pbkdf2Sha256, sha256 } from '#platform/crypto'
import { Buffer } from '#platform/runtime'
import { ScramError } from './errors.ts'
import { normalizePassword } from './password.ts'
import { md5x10, type PreHash } from './pre-hash.ts'

/** Bytes in a SHA-256 value: each key, proof, signature and handshake hash. */
export const HASH_LENGTH = 32

/** Fewest iterations a client accepts (RFC 7677): fewer make offline guessing cheap. */
export const MIN_ITERATIONS = 4_096
/** Most iterations a client accepts: otherwise a hostile server could keep it busy for hours (RFC 5802 §9). */
export const MAX_ITERATIONS = 1_000_000
/** Iterations of a new account, as recommended by OWASP: about 0.1 s for the client, no cost for the server. */
export const DEFAULT_ITERATIONS = 600_000

/** Shortest salt a client accepts, bytes: shorter ones are likely to repeat among accounts. */
export const MIN_SALT_LENGTH = 8
/** Longest salt a client accepts, bytes; more than HASH_LENGTH adds no security. */
export const MAX_SALT_LENGTH = 64
/** Bytes that client and server each contribute to the salt of a new account. */
export const SALT_HALF_LENGTH = 16

/** Login keys of a client, 32 bytes each. Equivalent to the password for this account: store them in a 0600 file. */
export interface ClientKeys {
  clientKey: Buffer
  serverKey: Buffer
}

/** Login data that a server stores for an account (RFC 5802 §3). Does not allow a login, but offline guessing. */
export interface Verifier {
  salt: Buffer
  iterations: number
  /** H(ClientKey), 32 bytes. */
  storedKey: Buffer
  /** 32 bytes. Allows to impersonate the server. */
  serverKey: Buffer
  /** Pre-hash of the password; default none. */
  preHash?: PreHash | undefined
}

/** Properties of a verifier that a challenge reveals, besides the bytes of its salt. */
export interface VerifierShape {
  readonly iterations: number
  readonly preHash: PreHash
  /** Bytes of the salt. */
  readonly saltLength: number
}

export const shapeOf = ({ iterations, salt, preHash = '' }: Verifier): VerifierShape => ({
  iterations,
  preHash,
  saltLength: salt.length,
})

/** HMAC-SHA-256; strings are encoded as UTF-8. */
export const hmac: (key: Uint8Array, data: string | Uint8Array) => Buffer = hmacSha256

/** Hi() of RFC 5802 §2.2: PBKDF2-HMAC-SHA-256, one block. Does not normalise or check its input. */
export function hi(password: string | Uint8Array, salt: Uint8Array, iterations: number): Promise<Buffer> {
  return pbkdf2Sha256(password, salt, iterations, HASH_LENGTH)
}

/** ClientKey and ServerKey of a SaltedPassword (RFC 5802 §3). */
export function keysOf(saltedPassword: Uint8Array): ClientKeys {
  return { clientKey: hmac(saltedPassword, 'Client Key'), serverKey: hmac(saltedPassword, 'Server Key') }
}

/**
 * Checks the parameters of a key derivation.
 *
 * @throws ScramError `iterations` outside MIN_ITERATIONS to MAX_ITERATIONS, `malformed` for the salt's size
 */
export function checkParameters(salt: Uint8Array, iterations: number): void {
  if (!Number.isInteger(iterations) || iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw new ScramError('iterations', `the iteration count is not in ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`)
  }
  if (salt.length < MIN_SALT_LENGTH || salt.length > MAX_SALT_LENGTH) {
    throw new ScramError('malformed', `the salt is not ${MIN_SALT_LENGTH} to ${MAX_SALT_LENGTH} bytes long`)
  }
}

/**
 * Derives an account's keys from its password: the slow step of SCRAM. The password is normalised; with a pre-hash it is
 * checked in the same way, but hashed as typed.
 *
 * @throws ScramError `password` as normalizePassword; `iterations` and `malformed` as checkParameters
 */
export async function deriveKeys(
  password: string,
  salt: Uint8Array,
  iterations: number,
  preHash: PreHash = '',
): Promise<ClientKeys> {
  checkParameters(salt, iterations)
  const normal = normalizePassword(password)
  return keysOf(await hi(preHash === 'md5x10' ? md5x10(password) : normal, salt, iterations))
}

/** StoredKey = H(ClientKey) (RFC 5802 §3). */
export function storedKey(clientKey: Uint8Array): Buffer {
  return sha256(clientKey)
}

/** The verifier for keys that were derived with this salt and count. */
export function verifierOf(keys: ClientKeys, salt: Buffer, iterations: number, preHash: PreHash = ''): Verifier {
  return { salt, iterations, storedKey: storedKey(keys.clientKey), serverKey: keys.serverKey, preHash }
}

/**
 * Concatenates the halves of a new account's salt. Not XORed: the last to speak could choose the result. The client's half
 * ensures that one password has different StoredKeys on two servers, even if one of them is hostile.
 *
 * @throws ScramError `malformed` when a half is not SALT_HALF_LENGTH bytes long
 */
export function joinSalt(clientHalf: Uint8Array, serverHalf: Uint8Array): Buffer {
  if (clientHalf.length !== SALT_HALF_LENGTH || serverHalf.length !== SALT_HALF_LENGTH) {
    throw new ScramError('malformed', `half a salt is not ${SALT_HALF_LENGTH} bytes long`)
  }
  return Buffer.concat([clientHalf, serverHalf])
}

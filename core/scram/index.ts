export { type Answer, type KeySource, type Login, startLogin } from './client.ts'
export { deviceProof } from './device.ts'
export { ScramError, type ScramErrorCode } from './errors.ts'
export {
  type ClientKeys,
  DEFAULT_ITERATIONS,
  deriveKeys,
  HASH_LENGTH,
  joinSalt,
  MAX_ITERATIONS,
  MAX_SALT_LENGTH,
  MIN_ITERATIONS,
  MIN_SALT_LENGTH,
  SALT_HALF_LENGTH,
  shapeOf,
  storedKey,
  type Verifier,
  type VerifierShape,
  verifierOf,
} from './keys.ts'
export { MAX_PASSWORD_BYTES, normalizePassword } from './password.ts'
export { md5x10, PRE_HASHES, type PreHash } from './pre-hash.ts'
export {
  type Challenge,
  type ClientFirst,
  createChallenge,
  fakeVerifier,
  readClientFirst,
  verifyClientFinal,
} from './server.ts'
export { MAX_TEXT_LENGTH } from './text.ts'

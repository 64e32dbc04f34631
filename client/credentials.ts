import { Buffer } from '#platform/runtime'
import {
  type ClientKeys,
  DEFAULT_ITERATIONS,
  deriveKeys,
  type KeySource,
  MIN_ITERATIONS,
  normalizePassword,
  type PreHash,
  ScramError,
} from '../core/scram/index.ts'
import { ClientError } from './errors.ts'

/** SCRAM keys, which save deriving them (about 0.1 s of CPU). Keep secret: they log in to this server like the password. */
export interface LoginKeys extends ClientKeys {
  readonly salt: Buffer
  readonly iterations: number
}

/** A random key of 32 bytes, created by `chatctl` instead of a password: it cannot be guessed at any iteration count. */
const RANDOM_KEY = /^ckey_[A-Za-z0-9_-]{43}$/

/**
 * Fewest iterations for a password, by whether the server's key is pinned. The login proof allows offline guessing at the
 * cost of that many iterations per guess, so an impostor must not be able to choose a small number.
 */
export const LEAST_ITERATIONS = { unknownServer: DEFAULT_ITERATIONS, pinnedServer: MIN_ITERATIONS } as const

/**
 * Derives keys from a password or random key, with the parameters that the server sends.
 * @param minIterations see LEAST_ITERATIONS; does not apply to random keys
 * @throws ClientError `weak_server` for fewer; ScramError `password`, and as deriveKeys
 */
export function deriveWith(
  secret: string,
  { salt, iterations, preHash }: { readonly salt: Uint8Array; readonly iterations: number; readonly preHash: PreHash },
  minIterations: number,
): Promise<ClientKeys> {
  if (iterations < minIterations && !RANDOM_KEY.test(secret))
    throw new ClientError(
      'weak_server',
      `the server wants the password with ${iterations} iterations, fewer than ${minIterations}`,
    )
  return deriveKeys(secret, salt, iterations, preHash)
}

/**
 * Checks the length of a new password here, because the server never sees it.
 * @throws ScramError `password`
 */
export function checkNewPassword(password: string, minChars: number) {
  if ([...normalizePassword(password)].length >= minChars) return
  throw new ScramError('password', `the server wants passwords of at least ${minChars} characters`)
}

/** Caches the keys of one account; derives them again only for another salt or iteration count. */
export class Credentials {
  readonly user: string
  readonly #password: string | undefined
  readonly #leastIterations: number
  #keys: LoginKeys | undefined

  /** @param leastIterations see LEAST_ITERATIONS; does not apply to kept keys */
  constructor(
    user: string,
    secret: { readonly password?: string | undefined; readonly keys?: LoginKeys | undefined },
    leastIterations: number,
  ) {
    this.#leastIterations = leastIterations
    this.user = user
    this.#password = secret.password
    this.#keys = secret.keys
  }

  get keys(): LoginKeys | undefined {
    return this.#keys
  }

  /**
   * Source of the keys for a login.
   * @param preHash hash that the server requires before PBKDF2
   * @throws ClientError `authentication` when the kept keys are stale and there is no password; as deriveWith
   */
  source(preHash: PreHash): KeySource {
    return async (salt, iterations) => {
      if (this.#keys?.iterations === iterations && this.#keys.salt.equals(salt)) return this.#keys
      if (this.#password === undefined)
        throw new ClientError('authentication', 'the kept keys are not valid any more (was the password changed?)')
      const keys = await deriveWith(this.#password, { salt, iterations, preHash }, this.#leastIterations)
      this.#keys = { ...keys, salt: Buffer.from(salt), iterations }
      return this.#keys
    }
  }
}

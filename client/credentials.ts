import {
  type ClientKeys,
  DEFAULT_ITERATIONS,
  deriveKeys,
  isPreHash,
  type KeySource,
  MIN_ITERATIONS,
  normalizePassword,
  type PreHash,
  ScramError,
} from '../core/scram/index.ts'
import { ClientError } from './errors.ts'

/** SCRAM keys that spare the derivation (about 0.1 s of CPU). As good as the password for this one server: keep secret. */
export interface LoginKeys extends ClientKeys {
  readonly salt: Buffer
  readonly iterations: number
}

/** A key that `chatctl` made in place of a password: 32 random bytes, not found by trying however cheap a try is. */
const RANDOM_KEY = /^ckey_[A-Za-z0-9_-]{43}$/

/**
 * Fewest iterations for a password at a server whose key is not known beforehand. With what a password's owner sends
 * there, passwords can be tried offline, each at the cost of so many iterations: a server that poses as another one must
 * not be able to choose a small number.
 */
export const LEAST_ITERATIONS = { unknownServer: DEFAULT_ITERATIONS, pinnedServer: MIN_ITERATIONS } as const

/**
 * Derives keys from a password or random key, with parameters that the server names.
 * @param least fewest iterations, see LEAST_ITERATIONS
 * @throws ClientError `weak_server` for fewer; ScramError `password`, and as deriveKeys
 */
export function deriveWith(
  secret: string,
  { salt, iterations, preHash }: { readonly salt: Uint8Array; readonly iterations: number; readonly preHash: string },
  least: number,
): Promise<ClientKeys> {
  if (iterations < least && !RANDOM_KEY.test(secret))
    throw new ClientError(
      'weak_server',
      `the server wants the password with ${iterations} iterations, fewer than ${least}`,
    )
  return deriveKeys(secret, salt, iterations, knownPreHash(preHash))
}

/**
 * Refuses a new password that is shorter than the server's operator wants: the server itself never sees it.
 * @throws ScramError `password`
 */
export function checkNewPassword(password: string, fewestCharacters: number) {
  if ([...normalizePassword(password)].length >= fewestCharacters) return
  throw new ScramError('password', `the server wants passwords of at least ${fewestCharacters} characters`)
}

/** Remembers the keys of one account and derives them again only when the server names another salt. */
export class Credentials {
  readonly user: string
  readonly #password: string | undefined
  readonly #leastIterations: number
  #keys: LoginKeys | undefined

  /** @param leastIterations see LEAST_ITERATIONS; kept keys are used with the count that they were derived with */
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
   * The keys, or how to get them.
   * @param preHash how the server wants the password hashed before
   * @throws ClientError `authentication` when the keys do not fit and there is no password, `weak_server` as deriveWith
   */
  source(preHash: string): KeySource {
    return async (salt, iterations) => {
      if (this.#keys?.iterations === iterations && this.#keys.salt.equals(salt)) return this.#keys
      if (this.#password === undefined)
        throw new ClientError('authentication', 'the kept keys do not fit any more (was the password changed?)')
      const keys = await deriveWith(this.#password, { salt, iterations, preHash }, this.#leastIterations)
      this.#keys = { ...keys, salt: Buffer.from(salt), iterations }
      return this.#keys
    }
  }
}

/** @throws ClientError `protocol` for one that this client does not know */
export function knownPreHash(name: string): PreHash {
  if (isPreHash(name)) return name
  throw new ClientError('protocol', `the server wants passwords hashed with "${name}", which this client cannot do`)
}

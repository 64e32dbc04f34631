import { type ClientKeys, deriveKeys, isPreHash, type KeySource, type PreHash } from '../core/scram/index.ts'
import { ClientError } from './errors.ts'

/** SCRAM keys that spare the derivation (about 0.1 s of CPU). As good as the password for this one server: keep secret. */
export interface LoginKeys extends ClientKeys {
  readonly salt: Buffer
  readonly iterations: number
}

/** Remembers the keys of one account and derives them again only when the server names another salt. */
export class Credentials {
  readonly user: string
  readonly #password: string | undefined
  #keys: LoginKeys | undefined

  constructor(user: string, secret: { readonly password?: string | undefined; readonly keys?: LoginKeys | undefined }) {
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
   * @throws ClientError `authentication` when the keys do not fit and there is no password
   */
  source(preHash: string): KeySource {
    return async (salt, iterations) => {
      if (this.#keys?.iterations === iterations && this.#keys.salt.equals(salt)) return this.#keys
      if (this.#password === undefined)
        throw new ClientError('authentication', 'the kept keys do not fit any more (was the password changed?)')
      const keys = await deriveKeys(this.#password, salt, iterations, knownPreHash(preHash))
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

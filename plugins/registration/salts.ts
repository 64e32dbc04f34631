import { randomBytes } from 'node:crypto'
import { Refused, type Session } from '../../core/index.ts'
import { joinSalt, type PreHash, SALT_HALF_LENGTH, type Verifier } from '../../core/scram/index.ts'
import { verifierFrom } from '../accounts/verifier.ts'
import { FAILURES } from './failures.ts'

/** Fields of a message with new keys. */
export interface Keys {
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
  readonly preHash: PreHash
}

/** The salt that each session was given for its next password. */
export class Salts {
  readonly #iterations: number
  readonly #salts = new WeakMap<Session, Buffer>()

  constructor(iterations: number) {
    this.#iterations = iterations
  }

  /** A new salt, of which each side chooses one half. */
  create(session: Session, clientHalf: Uint8Array): Buffer {
    const salt = joinSalt(clientHalf, randomBytes(SALT_HALF_LENGTH))
    this.#salts.set(session, salt)
    return salt
  }

  /** The verifier of new keys; uses up the session's salt. @throws Refused `no_salt` */
  verifierFor(session: Session, keys: Keys): Verifier {
    const salt = this.#salts.get(session)
    if (salt === undefined) throw new Refused(FAILURES.no_salt)
    this.#salts.delete(session)
    return verifierFrom({ ...keys, salt, iterations: this.#iterations })
  }

  /** The keys were not stored: the salt can be used again. */
  giveBack(session: Session, { salt }: Verifier) {
    this.#salts.set(session, salt)
  }
}

import { createHmac } from 'node:crypto'
import type { Knex } from 'knex'
import { shapeOf, type VerifierShape } from '../../core/scram/index.ts'
import { passwordSamples } from '../../db/index.ts'
import { parseVerifier } from './verifier.ts'

/** Distinct shapes counted at most: choosing one takes a hash of each. */
const MAX_SHAPES = 16
/** Kinds of stored passwords read at start, the most frequent ones. */
const MAX_PASSWORD_KINDS = 16

interface Counted {
  readonly shape: VerifierShape
  accounts: number
}

const keyOf = ({ iterations, preHash, saltLength }: VerifierShape) => `${iterations}:${saltLength}:${preHash}`

/**
 * Counts accounts by the shape of their verifier. A login to a name without an account is answered with one of these
 * shapes, as often as accounts have it: otherwise an iteration count or a pre-hash would reveal which names exist.
 */
export class Shapes {
  readonly #counted = new Map<string, Counted>()

  /** @param by 1 for one more account of that shape, -1 for one less */
  count(shape: VerifierShape, by: number) {
    const key = keyOf(shape)
    const counted = this.#counted.get(key) ?? { shape, accounts: 0 }
    counted.accounts += by
    if (counted.accounts <= 0) this.#counted.delete(key)
    else if (this.#counted.has(key) || this.#counted.size < MAX_SHAPES) this.#counted.set(key, counted)
  }

  /**
   * The shape for a name: the same one as long as the counts stay the same. When they change, as few names as possible
   * change their shape (weighted rendezvous hashing).
   * @param secret of the server: without it, anyone could compute the answer to a name without an account
   * @param current shape of the next new account, counted as one more account
   */
  of(name: string, secret: Uint8Array, current: VerifierShape): VerifierShape {
    const counted = new Map(this.#counted)
    const key = keyOf(current)
    counted.set(key, { shape: current, accounts: (counted.get(key)?.accounts ?? 0) + 1 })
    let chosen = current
    let least = Number.POSITIVE_INFINITY
    for (const [key, { shape, accounts }] of counted) {
      const score = -Math.log(fraction(secret, `${key} ${name}`)) / accounts
      if (score < least) [chosen, least] = [shape, score]
    }
    return chosen
  }
}

/** Counts the shapes of the accounts in the database. */
export async function loadShapes(db: Knex): Promise<Shapes> {
  const shapes = new Shapes()
  for (const { password, accounts } of await passwordSamples(db, MAX_PASSWORD_KINDS)) {
    const verifier = parseVerifier(password)
    if (verifier !== undefined) shapes.count(shapeOf(verifier), accounts)
  }
  return shapes
}

/** A number above 0 and at most 1, a keyed hash of the text. */
const fraction = (secret: Uint8Array, text: string): number =>
  (createHmac('sha256', secret).update(`shape:${text}`).digest().readUInt32BE() + 1) / 2 ** 32

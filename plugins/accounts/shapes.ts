import { createHmac } from 'node:crypto'
import type { VerifierShape } from '../../core/scram/index.ts'

/** Shapes told apart at most: choosing one takes a hash for each. */
const MAX_SHAPES = 16

interface Counted {
  readonly shape: VerifierShape
  accounts: number
}

const keyOf = ({ iterations, preHash, saltLength }: VerifierShape) => `${iterations}:${saltLength}:${preHash}`

/**
 * How many accounts have a verifier of which shape. A name without an account is answered with one of these shapes, as
 * often as accounts have it: otherwise a count or a pre-hash that only accounts have would tell which names exist.
 */
export class Shapes {
  readonly #counted = new Map<string, Counted>()

  /** @param by 1 for an account more of that shape, -1 for one less */
  count(shape: VerifierShape, by: number) {
    const key = keyOf(shape)
    const counted = this.#counted.get(key) ?? { shape, accounts: 0 }
    counted.accounts += by
    if (counted.accounts <= 0) this.#counted.delete(key)
    else if (this.#counted.has(key) || this.#counted.size < MAX_SHAPES) this.#counted.set(key, counted)
  }

  /**
   * The shape for a name: always the same one while the counts stay as they are. Where they change, only as many names
   * change their shape as have to (weighted rendezvous hashing).
   * @param secret of the server, or anyone could compute which names are answered so
   * @param current shape of the next new account, counted as one account more
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

/** A number above 0 and at most 1 that follows from a text. */
const fraction = (secret: Uint8Array, text: string): number =>
  (createHmac('sha256', secret).update(`shape:${text}`).digest().readUInt32BE() + 1) / 2 ** 32

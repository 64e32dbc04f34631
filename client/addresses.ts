import { ClientError } from './errors.ts'

/** Limit of an attempt while another address is left to try, in milliseconds: a host that is gone does not answer. */
const ATTEMPT_MS = 2000

/** The addresses of a server, or of several servers of one database: each is tried in turn. */
export class Addresses<A> {
  readonly #all: readonly A[]
  #current = 0

  /** @throws TypeError for none */
  constructor(all: readonly A[]) {
    if (all.length === 0) throw new TypeError('there is no address of a server')
    this.#all = all
  }

  /** The address in use, or the one that is tried next. */
  get current(): A {
    return this.#all[this.#current] as A
  }

  /** The current address has failed: the following one is next. */
  leave() {
    this.#current = (this.#current + 1) % this.#all.length
  }

  /**
   * Opens a connection to the first address that answers, beginning with the current one.
   * @param open called with the limit of the attempt; the last one has none
   * @param isFinal whether an error ends the search
   * @throws what `open` throws; ClientError `unreachable` with the errors of all addresses when there are several
   */
  async open<T>(
    open: (address: A, attempt: AbortSignal | undefined) => Promise<T>,
    isFinal: (error: unknown) => boolean,
  ): Promise<T> {
    const errors: unknown[] = []
    for (let left = this.#all.length; left > 0; left--) {
      try {
        return await open(this.current, left > 1 ? AbortSignal.timeout(ATTEMPT_MS) : undefined)
      } catch (error) {
        if (isFinal(error) || this.#all.length === 1) throw error
        errors.push(error)
        this.leave()
      }
    }
    const reasons = errors.map((error) => (error as Error).message).join('; ')
    throw new ClientError('unreachable', `no server answers: ${reasons}`, { cause: new AggregateError(errors) })
  }
}

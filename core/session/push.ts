import { encode, type InputOf, type ServerMessage } from '../wire/index.ts'

/** A message to clients that answers no request. Encoded once for all sessions it goes to, when the first needs bytes. */
export class Push<M extends ServerMessage = ServerMessage> {
  readonly message: M
  readonly values: InputOf<M>
  #bytes: Buffer | undefined

  /** @param bytes the encoded message, if another node has encoded it */
  constructor(message: M, values: InputOf<M>, bytes?: Buffer) {
    this.message = message
    this.values = values
    this.#bytes = bytes
  }

  /** @throws WireError for a value outside its field's limits */
  get bytes(): Buffer {
    this.#bytes ??= encode(this.message, 0, this.values)
    return this.#bytes
  }
}

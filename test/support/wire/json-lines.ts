import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import {
  type Catalogue,
  type FailureName,
  type Push,
  Refused,
  type Transport,
  type TransportSession,
} from '../../../core/index.ts'

/** A protocol of lines: `{"id": 1, "message": "send_message", "values": {…}}`, answered by `reply` or `failure`. */
export class JsonLines implements Transport {
  readonly #stream: Duplex
  readonly #catalogue: Catalogue

  constructor(stream: Duplex, catalogue: Catalogue) {
    this.#stream = stream
    this.#catalogue = catalogue
  }

  get queued(): number {
    return this.#stream.writableLength
  }

  start(session: TransportSession) {
    this.#write({ binding: session.channelBinding.toString('hex') })
    createInterface({ input: this.#stream }).on('line', (line) => void this.#answer(session, line))
    this.#stream.on('drain', () => session.drained())
    this.#stream.on('error', () => this.#stream.destroy())
    this.#stream.on('close', () => session.gone())
  }

  push({ message, values }: Push) {
    this.#write({ push: message.name, values })
  }

  end(reason: FailureName) {
    this.#write({ closing: reason })
    this.#stream.end()
  }

  async #answer(session: TransportSession, line: string) {
    const { id, message: name, values } = JSON.parse(line)
    try {
      const message = this.#catalogue.byName(name)
      if (message?.from !== 'client') throw new Refused('unknown_type')
      this.#write({ id, reply: await session.receive(message, values) })
    } catch (error) {
      this.#write({ id, failure: error instanceof Refused ? error.code : String(error) })
    }
  }

  #write(line: object) {
    if (this.#stream.writable) this.#stream.write(`${JSON.stringify(line)}\n`)
  }
}

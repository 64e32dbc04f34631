import type { App } from '../../core/index.ts'
import { StreamEnded, StreamUpdated } from './events.ts'
import type { Viewed } from './viewed.ts'

/** Shows one stream to the other nodes with sessions of its readers. */
export class Outlet {
  readonly #app: App
  readonly #stream: Viewed
  /** Bytes of the text that were told. */
  #told = 0
  #lastNumber = 0
  #readers: readonly number[] = []

  constructor(app: App, stream: Viewed) {
    this.#app = app
    this.#stream = stream
  }

  /** The text has changed from that offset on; 0: another node lacks all of it. */
  changed(at: number) {
    this.#told = Math.min(this.#told, at)
  }

  /** Tells what was not told yet, or that the stream is still open. */
  tell(readers: readonly number[]) {
    const { id, user, target, hops, replyTo, text } = this.#stream
    const { to, group } = target
    const at = this.#told
    this.#told = text.length
    this.#readers = readers
    const { node } = this.#app.cluster
    const update = { node, id, number: ++this.#lastNumber, user, to, group, hops, replyTo, at, text: text.from(at) }
    this.#app.share(StreamUpdated, update, readers)
  }

  end(messageId: number) {
    const { node } = this.#app.cluster
    this.#app.share(StreamEnded, { node, id: this.#stream.id, messageId }, this.#readers)
  }
}

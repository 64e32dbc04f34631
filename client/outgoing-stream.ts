import { Buffer } from '#platform/runtime'
import type { InputOf, ValuesOf } from '../core/wire/index.ts'
import type { MessageStored } from '../plugins/messages/messages.ts'
import { CloseStream, DiscardStream, OpenStream, StreamDelta } from '../plugins/streams/messages.ts'
import type { TextStyle } from './chat-message.ts'
import type { Connection } from './connection.ts'
import { type ClientError, RefusedByServer } from './errors.ts'
import type { Link } from './link.ts'

/** The first half of a character that the next piece completes. */
const HALF = /[\ud800-\udbff]$/

/**
 * A message of this user that grows. It is opened with its first text, and opened again after each reconnect. One delta
 * is in flight at a time: what is written meanwhile is sent with the next.
 */
export class OutgoingStream {
  readonly #link: Link
  readonly #values: InputOf<typeof OpenStream>
  readonly #signal: AbortSignal | undefined
  #text = ''
  /** Bytes of the text that the server has. */
  #sent = 0
  #open: { readonly connection: Connection; readonly stream: number } | undefined
  #isUnknown = false
  #sending: Promise<void> | undefined
  #failure: unknown

  /** @param signal stops the sending of deltas */
  constructor(link: Link, values: InputOf<typeof OpenStream>, signal: AbortSignal | undefined) {
    this.#link = link
    this.#values = values
    this.#signal = signal
  }

  get text(): string {
    return this.#text
  }

  /** True if the server knows no streams: the text is then to be sent as a message. */
  get isUnknown(): boolean {
    return this.#isUnknown
  }

  /** Adds text. @throws ClientError with which an earlier delta has failed */
  write(text: string) {
    if (this.#failure !== undefined) throw this.#failure
    this.#text += text
    this.#sending ??= this.#sendAll()
  }

  /** Sends the text as a message. @throws ClientError as `send` does, and with which a delta has failed */
  async close(style: TextStyle, limit: AbortSignal): Promise<ValuesOf<typeof MessageStored> | undefined> {
    await this.#sending
    if (this.#failure !== undefined) throw this.#failure
    return this.#link.retryOverReconnects(async () => {
      const open = await this.#opened(limit)
      if (open === undefined) return undefined
      const values = { stream: open.stream, text: this.#text, ...style }
      return open.connection.request(CloseStream, values, { signal: limit })
    }, limit)
  }

  /** Ends the stream without a message, if it was opened. */
  async discard(limit: AbortSignal) {
    if (this.#open === undefined) return
    await this.#link.retryOverReconnects(async () => {
      const open = await this.#opened(limit)
      await open?.connection.request(DiscardStream, { stream: open.stream }, { signal: limit })
    }, limit)
  }

  /** Does not reject: `write` and `close` throw the failure. */
  async #sendAll() {
    try {
      await this.#link.retryOverReconnects(async () => {
        while (this.#unsent() !== '') {
          const limit = this.#link.limit(this.#signal === undefined ? {} : { signal: this.#signal })
          const open = await this.#opened(limit)
          // A resumed stream may have all of it.
          const text = this.#unsent()
          if (open === undefined || text === '') return
          const at = this.#sent
          await open.connection.request(StreamDelta, { stream: open.stream, at, text }, { signal: limit })
          this.#sent = at + Buffer.byteLength(text)
        }
      }, this.#signal)
    } catch (error) {
      this.#failure = error as ClientError
    } finally {
      this.#sending = undefined
    }
  }

  #unsent(): string {
    return Buffer.from(this.#text.replace(HALF, '')).toString('utf8', this.#sent)
  }

  /** Opens the stream on the current connection, or resumes it; undefined if the server knows no streams. */
  async #opened(signal: AbortSignal) {
    const { connection } = this.#link
    if (this.#isUnknown || this.#open?.connection === connection) return this.#open
    try {
      const { stream, at } = await connection.request(OpenStream, this.#values, { signal })
      // A process before this one may have left other text under this client id: the first delta replaces it.
      this.#sent = this.#open === undefined ? 0 : at
      this.#open = { connection, stream }
    } catch (error) {
      if (!(error instanceof RefusedByServer) || error.failure !== 'unknown_type') throw error
      this.#isUnknown = true
    }
    return this.#open
  }
}

import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

/** Longest message that is sent; the server accepts 512 KiB. A client may write many requests at once. */
const MAX_MESSAGE_BYTES = 256 * 1024

/** Close code for a text frame (RFC 6455, 7.4.1). */
const UNSUPPORTED_DATA = 1003

/** The binary frames of a WebSocket as one stream of bytes; the borders of frames mean nothing. */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket
  /** The peer broke the rules of WebSocket; what comes before the connection has closed is ignored. */
  #fault: Error | undefined

  constructor(socket: WebSocket) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary))
    // The library answers with a close frame that has the reason.
    socket.on('error', (error) => {
      this.#fault ??= error
    })
    socket.on('close', () => (this.#fault === undefined ? this.push(null) : this.destroy(this.#fault)))
  }

  override _read() {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void) {
    // The end of a closing connection is an event of its own; what is written meanwhile is lost, as on TCP.
    if (this.#socket.readyState !== this.#socket.OPEN) return done()
    let from = 0
    for (; chunk.length - from > MAX_MESSAGE_BYTES; from += MAX_MESSAGE_BYTES)
      this.#socket.send(chunk.subarray(from, from + MAX_MESSAGE_BYTES))
    this.#socket.send(from === 0 ? chunk : chunk.subarray(from), done)
  }

  override _final(done: () => void) {
    this.#socket.close()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void) {
    this.#socket.terminate()
    done(error)
  }

  #receive(data: Buffer, isBinary: boolean) {
    if (this.#fault !== undefined || this.destroyed) return
    if (!isBinary) {
      this.#fault = new Error('the peer sent a text frame')
      this.#socket.close(UNSUPPORTED_DATA, 'binary frames only')
    } else if (!this.push(data)) this.#socket.pause()
  }
}

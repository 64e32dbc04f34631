import { EventEmitter } from 'eventemitter3'
import { Buffer } from '#platform/runtime'
import type { ByteStream } from './byte-stream.ts'
import type { WebSocketLike } from './web-socket.ts'

interface Events {
  data: [chunk: Buffer]
  close: []
  error: [error: Error]
}

/** Longest binary frame; the server's limit is higher. */
const MAX_FRAME_BYTES = 64 * 1024
/** Bytes in the browser's send buffer above which writes wait here, where `destroy` discards them. */
const MAX_BUFFERED_BYTES = 256 * 1024
/** Browsers have no event for a drained send buffer. */
const DRAIN_CHECK_MS = 20
/** Bytes received while paused: the stream is paused only until the server's key is accepted. */
const MAX_PAUSED_BYTES = 1024 * 1024

interface Write {
  readonly bytes: Buffer
  readonly onWritten: ((error?: Error | null) => void) | undefined
}

/** An open WebSocket as a stream of bytes. The borders of its frames mean nothing. */
export class WebSocketStream extends EventEmitter<Events> implements ByteStream {
  readonly #socket: WebSocketLike
  #writes: Write[] = []
  #waitingBytes = 0
  #drainCheck: ReturnType<typeof setTimeout> | undefined
  #received: Buffer[] = []
  #receivedBytes = 0
  #isPaused = false
  #isEnding = false
  #isPeerGone = false
  #isDestroyed = false

  /** @param socket open, with `binaryType` arraybuffer */
  constructor(socket: WebSocketLike) {
    super()
    this.#socket = socket
    socket.onmessage = ({ data }) => this.#receive(data)
    socket.onclose = ({ code, wasClean }) => {
      this.#isPeerGone = true
      this.destroy(wasClean ? undefined : new Error(`the WebSocket was cut (code ${code})`))
    }
  }

  get destroyed(): boolean {
    return this.#isDestroyed
  }

  get readableEnded(): boolean {
    return this.#isPeerGone && this.#received.length === 0
  }

  get writable(): boolean {
    return !this.#isEnding && !this.#isDestroyed
  }

  get writableLength(): number {
    return this.#waitingBytes + this.#socket.bufferedAmount
  }

  /** @param onWritten called when the browser's send buffer has room after these bytes */
  write(bytes: Buffer, onWritten?: (error?: Error | null) => void) {
    if (!this.writable) return onWritten?.(new Error('the stream has ended'))
    for (let from = 0; from < bytes.length; from += MAX_FRAME_BYTES) {
      const end = from + MAX_FRAME_BYTES
      this.#writes.push({ bytes: bytes.subarray(from, end), onWritten: end < bytes.length ? undefined : onWritten })
    }
    this.#waitingBytes += bytes.length
    if (this.#drainCheck === undefined) this.#sendWaiting()
  }

  end() {
    this.#isEnding = true
    if (this.#drainCheck === undefined) this.#sendWaiting()
  }

  destroy(error?: Error) {
    if (this.#isDestroyed) return
    this.#isDestroyed = true
    clearTimeout(this.#drainCheck)
    const writes = this.#writes
    this.#writes = []
    this.#waitingBytes = 0
    this.#socket.close()
    // Like a stream of Node: no event before the caller has returned.
    queueMicrotask(() => {
      for (const { onWritten } of writes) onWritten?.(error ?? new Error('the stream was closed'))
      if (error !== undefined) this.emit('error', error)
      this.emit('close')
    })
  }

  pause() {
    this.#isPaused = true
  }

  resume() {
    this.#isPaused = false
    for (let chunk = this.#received.shift(); chunk !== undefined; chunk = this.#received.shift()) {
      this.#receivedBytes -= chunk.length
      this.emit('data', chunk)
      if (this.#isPaused) return
    }
  }

  #sendWaiting() {
    this.#drainCheck = undefined
    while (this.#writes.length > 0) {
      if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
        this.#drainCheck = setTimeout(() => this.#sendWaiting(), DRAIN_CHECK_MS)
        return
      }
      const { bytes, onWritten } = this.#writes.shift() as Write
      this.#waitingBytes -= bytes.length
      this.#socket.send(bytes)
      onWritten?.()
    }
    // The browser sends its buffer before the closing handshake.
    if (this.#isEnding) this.#socket.close()
  }

  #receive(data: unknown) {
    if (this.#isDestroyed) return
    if (!(data instanceof ArrayBuffer)) return this.destroy(new Error('the server sent text over the WebSocket'))
    if (data.byteLength === 0) return
    const chunk = Buffer.from(data)
    if (!this.#isPaused) {
      this.emit('data', chunk)
      return
    }
    this.#received.push(chunk)
    this.#receivedBytes += chunk.length
    if (this.#receivedBytes > MAX_PAUSED_BYTES) this.destroy(new Error('the server sent data before the first request'))
  }
}

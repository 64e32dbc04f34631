import { dial } from '#platform/dial'
import { Buffer } from '#platform/runtime'
import {
  fingerprint,
  frame as framed,
  HandshakeState,
  MAGIC,
  MAX_MESSAGE_LENGTH,
  NoiseError,
  NX_LENGTHS,
  Outbox,
  openRecord,
  RecordSplitter,
} from '../core/noise/index.ts'
import { type Frame, MessageSplitter, WireError } from '../core/wire/index.ts'
import type { ByteStream, DialAddress } from './byte-stream.ts'
import { abortedBy, ClientError } from './errors.ts'
import { unlessAborted } from './waiting.ts'

/** Address of a server: what the platform dials, a connected stream, or a function that opens a stream. */
export type Address = DialAddress | ByteStream | (() => ByteStream)

export interface ChannelOptions {
  readonly address: Address
  /**
   * Called with the server's key before anything else is sent; throws to refuse it.
   * @param key the fingerprint, `SHA256:…`
   */
  readonly checkKey: (key: string) => void | Promise<void>
  readonly signal: AbortSignal
  readonly onFrame: (frame: Frame) => void
  /** Called once, when the channel has closed for any reason. */
  readonly onClose: (error: ClientError) => void
}

/** Most that a client accepts in one message, in bytes and in values; pages of messages and the catalogue are largest. */
const LIMITS = { message: 1024 * 1024, format: 64 * 1024, values: 32 * 1024 }

/** Client side of layer 1: an encrypted stream to a server whose key was accepted. */
export class Channel {
  readonly fingerprint: string
  readonly handshakeHash: Buffer
  readonly #stream: ByteStream
  readonly #outbox: Outbox
  #lastReceivedAt = performance.now()

  private constructor(stream: ByteStream, outbox: Outbox, key: string, handshakeHash: Buffer) {
    this.#stream = stream
    this.#outbox = outbox
    this.fingerprint = key
    this.handshakeHash = handshakeHash
  }

  /** @throws ClientError `unreachable`, `protocol`, `timed_out`, `aborted`, and what `checkKey` throws */
  static async open(options: ChannelOptions): Promise<Channel> {
    const { address, checkKey, signal, onFrame, onClose } = options
    const stream = await open(address, signal)
    // Stays for the life of the stream: an 'error' event without a listener would end the process.
    let reason: ClientError | undefined
    stream.on('error', (error: Error) => {
      reason ??= new ClientError('lost', `connection lost: ${error.message}`, { cause: error })
    })
    try {
      const records = new RecordSplitter({ maxLength: NX_LENGTHS[1] })
      const { send, receive, handshakeHash, remoteStatic } = await performHandshake(stream, records, signal)
      const key = fingerprint(remoteStatic)
      await unlessAborted(Promise.resolve(checkKey(key)), signal)
      if (signal.aborted) throw abortedBy(signal, 'the server was not accepted')
      if (stream.destroyed || stream.readableEnded)
        throw reason ?? new ClientError('lost', 'the server closed the connection')
      records.maxLength = MAX_MESSAGE_LENGTH
      const messages = new MessageSplitter(LIMITS)
      const channel = new Channel(stream, new Outbox(stream, send), key, handshakeHash)
      stream.on('data', (chunk: Buffer) => {
        channel.#lastReceivedAt = performance.now()
        try {
          for (const record of records.push(chunk)) {
            for (const frame of messages.push(openRecord(receive, record))) onFrame(frame)
          }
        } catch (error) {
          if (!(error instanceof NoiseError || error instanceof WireError)) throw error
          reason = new ClientError('protocol', 'the server sent an invalid message', { cause: error })
          stream.destroy()
        }
      })
      stream.on('close', () => onClose(reason ?? new ClientError('lost', 'the server closed the connection')))
      stream.resume()
      return channel
    } catch (error) {
      stream.destroy()
      throw error
    }
  }

  /** `performance.now()` at the last bytes from the server. */
  get lastReceivedAt(): number {
    return this.#lastReceivedAt
  }

  /** Queues a message; messages queued in one event-loop turn are sent in one write. */
  send(bytes: Buffer) {
    this.#outbox.push(bytes)
  }

  /** Sends what is queued, then closes. */
  end() {
    this.#outbox.flush()
    this.#stream.end()
  }

  /** Closes at once. @param error reported to `onClose`, unless the stream has failed before */
  destroy(error?: Error) {
    this.#stream.destroy(error)
  }
}

async function performHandshake(stream: ByteStream, records: RecordSplitter, signal: AbortSignal) {
  const handshake = new HandshakeState({ initiator: true, prologue: MAGIC })
  stream.write(Buffer.concat([MAGIC, framed(handshake.writeMessage())]))
  try {
    handshake.readMessage(await firstBody(stream, records, signal))
  } catch (error) {
    if (error instanceof ClientError) throw error
    throw new ClientError('protocol', 'no chatctl server answers there: the handshake failed', { cause: error })
  }
  const { result } = handshake
  if (result?.remoteStatic === undefined) throw new ClientError('protocol', 'the server showed no key')
  return { ...result, remoteStatic: result.remoteStatic }
}

function open(address: Address, signal: AbortSignal): ByteStream | Promise<ByteStream> {
  if (typeof address === 'function') return address()
  return 'write' in address ? address : dial(address, signal)
}

/** Reads the server's handshake message; leaves the stream paused. */
function firstBody(stream: ByteStream, records: RecordSplitter, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      stream.pause()
      stream.off('data', onData)
      stream.off('close', onClose)
      stream.off('error', onError)
      signal.removeEventListener('abort', onAbort)
      act()
    }
    const onData = (chunk: Buffer) => {
      try {
        // The server sends nothing before the first request, so the chunk holds nothing else.
        for (const body of records.push(chunk)) return settle(() => resolve(Buffer.from(body)))
      } catch (error) {
        settle(() => reject(error))
      }
    }
    const closed = 'the server closed the connection before the handshake; it may have too many connections'
    const onClose = () => settle(() => reject(new ClientError('lost', closed)))
    const onError = (error: Error) =>
      settle(() => reject(new ClientError('unreachable', `connection failed: ${error.message}`, { cause: error })))
    const onAbort = () => settle(() => reject(abortedBy(signal, 'the server did not answer')))
    if (signal.aborted) return onAbort()
    if (stream.destroyed) return onClose()
    stream.on('data', onData)
    stream.on('close', onClose)
    stream.on('error', onError)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

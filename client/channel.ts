import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
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
import { abortedBy, ClientError } from './errors.ts'
import { unlessAborted } from './waiting.ts'

/** Where a server listens: TCP, its control socket, a stream that is connected already, or how to get a new one. */
export type Address =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | Duplex
  | (() => Duplex)

export interface ChannelOptions {
  readonly address: Address
  /**
   * Decides about the server's key before anything else is sent; throws to refuse it.
   * @param key the fingerprint, `SHA256:…`
   */
  readonly checkKey: (key: string) => void | Promise<void>
  readonly signal: AbortSignal
  readonly onFrame: (frame: Frame) => void
  /** Told once, when the channel has ended for whatever reason. */
  readonly onClose: (error: ClientError) => void
}

/** What a client takes from a server: pages of messages and the catalogue are the largest. */
const LIMITS = { message: 1024 * 1024, format: 64 * 1024, values: 32 * 1024 }

/** Layer 1 seen from the client: an encrypted connection to a server whose key was accepted. */
export class Channel {
  readonly fingerprint: string
  readonly handshakeHash: Buffer
  readonly #stream: Duplex
  readonly #outbox: Outbox
  #heardAt = performance.now()

  private constructor(stream: Duplex, outbox: Outbox, key: string, handshakeHash: Buffer) {
    this.#stream = stream
    this.#outbox = outbox
    this.fingerprint = key
    this.handshakeHash = handshakeHash
  }

  /** @throws ClientError `unreachable`, `protocol`, `timed_out`, `aborted`, and what `checkKey` throws */
  static async open(options: ChannelOptions): Promise<Channel> {
    const { address, checkKey, signal, onFrame, onClose } = options
    const stream = await open(address, signal)
    // From here on there is always a listener: an error that nobody hears would end the process.
    let ended: ClientError | undefined
    stream.on('error', (error: Error) => {
      ended ??= new ClientError('lost', `connection lost: ${error.message}`, { cause: error })
    })
    try {
      const records = new RecordSplitter({ maxLength: NX_LENGTHS[1] })
      const { send, receive, handshakeHash, remoteStatic } = await shakeHands(stream, records, signal)
      const key = fingerprint(remoteStatic)
      await unlessAborted(Promise.resolve(checkKey(key)), signal)
      if (signal.aborted) throw abortedBy(signal, 'the server was not accepted')
      if (stream.destroyed || stream.readableEnded)
        throw ended ?? new ClientError('lost', 'the server closed the connection')
      records.maxLength = MAX_MESSAGE_LENGTH
      const messages = new MessageSplitter(LIMITS)
      const channel = new Channel(stream, new Outbox(stream, send), key, handshakeHash)
      stream.on('data', (chunk: Buffer) => {
        channel.#heardAt = performance.now()
        try {
          for (const record of records.push(chunk)) {
            for (const frame of messages.push(openRecord(receive, record))) onFrame(frame)
          }
        } catch (error) {
          if (!(error instanceof NoiseError || error instanceof WireError)) throw error
          ended = new ClientError('protocol', 'the server sent what cannot be read', { cause: error })
          stream.destroy()
        }
      })
      stream.on('close', () => onClose(ended ?? new ClientError('lost', 'the server closed the connection')))
      stream.resume()
      return channel
    } catch (error) {
      stream.destroy()
      throw error
    }
  }

  /** When the last bytes of the server came, by `performance.now()`. */
  get heardAt(): number {
    return this.#heardAt
  }

  /** Queues a message; everything queued in one event-loop turn leaves in one write. */
  send(bytes: Buffer) {
    this.#outbox.push(bytes)
  }

  /** Sends what is queued, then closes. */
  end() {
    this.#outbox.flush()
    this.#stream.end()
  }

  /** Ends it at once. @param error why, where nobody else will say it */
  destroy(error?: Error) {
    this.#stream.destroy(error)
  }
}

async function shakeHands(stream: Duplex, records: RecordSplitter, signal: AbortSignal) {
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

function open(address: Address, signal: AbortSignal): Duplex | Promise<Duplex> {
  if (typeof address === 'function') return address()
  return 'pipe' in address ? address : dial(address, signal)
}

function dial(address: Exclude<Address, Duplex | (() => Duplex)>, signal: AbortSignal): Promise<Socket> {
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, noDelay: true } as never)
    const abort = () => {
      socket.destroy()
      reject(abortedBy(signal, `no answer from ${where}`))
    }
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', abort)
      reject(new ClientError('unreachable', `cannot reach ${where}: ${reasonOf(error)}`, { cause: error }))
    })
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOENT') return 'there is no such socket'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is unknown'
  return message || String(code)
}

/** The server's half of the handshake; leaves the stream paused, with what came after it still unread. */
function firstBody(stream: Duplex, records: RecordSplitter, signal: AbortSignal): Promise<Buffer> {
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
        // The server says nothing more until it is asked, so nothing follows the handshake in its chunk.
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

import {
  type Catalogue,
  type ClientMessage,
  type Decoded,
  Done,
  decode,
  encode,
  FAILURE_MESSAGES,
  type Frame,
  type InputOf,
  type Message,
  type ReplyOf,
  readRef,
  type ServerMessage,
  WireError,
} from '../core/wire/index.ts'
import { abortedBy, ClientError, RefusedByServer } from './errors.ts'

export interface PendingOptions<M extends ClientMessage> {
  /** Abandons the request when aborted. */
  readonly signal: AbortSignal
  /** Called with the reply before any later message of the server is processed. */
  readonly onReply?: ((reply: ReplyOf<M>) => void) | undefined
}

interface Pending {
  readonly message: ClientMessage
  resolve(values: unknown): void
  reject(error: ClientError): void
}

/** Most values accepted in one message of the server. */
const MAX_VALUES = 32 * 1024
const FAILURE_TYPES = new Set<number>(FAILURE_MESSAGES.map(({ type }) => type))

/** Requests in flight on one connection: matches replies by `ref` and passes pushes on. */
export class Requests {
  readonly #catalogue: Catalogue
  readonly #onPush: (message: ServerMessage, values: unknown) => void
  readonly #pending = new Map<number, Pending>()
  readonly #send: (bytes: Buffer) => void
  #lastRef = 0
  /** The error that ended the connection; set, requests fail and frames are ignored. */
  #ended: ClientError | undefined

  constructor(
    catalogue: Catalogue,
    send: (bytes: Buffer) => void,
    onPush: (message: ServerMessage, values: unknown) => void,
  ) {
    this.#catalogue = catalogue
    this.#send = send
    this.#onPush = onPush
  }

  /**
   * Sends a request and waits for its reply.
   * @throws ClientError, and WireError for values that the message cannot carry
   */
  request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { signal, onReply }: PendingOptions<M>,
  ): Promise<ReplyOf<M>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (signal.aborted) return Promise.reject(abortedBy(signal, `no reply to ${message.name}`))
    const ref = this.#nextRef()
    // Encoded first: invalid values throw before the request is pending.
    const bytes = encode(message, ref, values)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#pending.delete(ref)
        reject(abortedBy(signal, `no reply to ${message.name}`))
      }
      const done = () => {
        this.#pending.delete(ref)
        signal.removeEventListener('abort', onAbort)
      }
      this.#pending.set(ref, {
        message,
        resolve: (reply) => {
          done()
          onReply?.(reply as ReplyOf<M>)
          resolve(reply as ReplyOf<M>)
        },
        reject: (error) => {
          done()
          reject(error)
        },
      })
      signal.addEventListener('abort', onAbort, { once: true })
      this.#send(bytes)
    })
  }

  /** Processes a frame from the server. Pushes of unknown types are ignored. */
  receive(frame: Frame) {
    if (this.#ended !== undefined) return
    const message = this.#catalogue.byType(frame.type)
    const pending = this.#pending.get(readRef(frame))
    if (message === undefined || message.from === 'client') {
      if (pending) pending.reject(new ClientError('protocol', `the server replied with unknown type ${frame.type}`))
      return
    }
    let values: unknown
    try {
      values = (decode(message, frame, MAX_VALUES) as Decoded<Message>).values
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      if (pending) pending.reject(new ClientError('protocol', `the reply cannot be read: ${error.message}`))
      return
    }
    // A reply to an abandoned request is not a push.
    if (pending === undefined) return readRef(frame) === 0 ? this.#onPush(message, values) : undefined
    const expected = pending.message.reply ?? Done
    // Compared by number: a definition learned from the server is another object than the built-in one.
    if (message.type === expected.type) pending.resolve(values)
    else if (FAILURE_TYPES.has(message.type)) pending.reject(new RefusedByServer(values as never))
    else pending.reject(new ClientError('protocol', `${pending.message.name} was answered by ${message.name}`))
  }

  /** Rejects all pending requests, oldest first, and all later ones. */
  fail(error: ClientError) {
    this.#ended ??= error
    for (const pending of [...this.#pending.values()]) pending.reject(error)
  }

  #nextRef(): number {
    do this.#lastRef = (this.#lastRef % 0xffffffff) + 1
    while (this.#pending.has(this.#lastRef))
    return this.#lastRef
  }
}

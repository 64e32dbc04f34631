import { createHash } from 'node:crypto'
import {
  type Client,
  type InputOf,
  type MessageRef,
  RefusedByServer,
  type RequestOptions,
  type SendOptions,
  type SentMessage,
  type UploadOptions,
} from '../client/index.ts'
import type { ClientMessage, ReplyOf } from '../core/wire/index.ts'
import { type FileOptions, type FileSource, type Openable, openSource } from './files.ts'

/** Name of a user, or a group. */
export type Recipient = string | { readonly group: string }

export interface EffectOptions extends RequestOptions {
  /**
   * Idempotency key in place of the automatic one. Effects of this user with the same key, in any run, take place once.
   */
  readonly key?: string
}

export interface SayOptions extends EffectOptions, Pick<SendOptions, 'style' | 'replyTo'> {}

export interface SayFileOptions extends SayOptions, FileOptions {}

/** Refusals of an upload whose first run had another file. */
const OTHER_CONTENT = ['client_id_reused', 'file_differs']

/** Longest idempotency key: the client id of a message. */
const MAX_KEY_BYTES = 64
/** Largest hop count on the wire. */
const MAX_HOPS = 255

/**
 * Effects of one run of a handler. Each has an idempotency key made of the run's origin and a running number, so a second
 * run for the same event with the same effects in the same order repeats none of them.
 */
export class Effects {
  readonly #client: Client
  readonly #origin: string
  readonly #hops: number
  readonly #signal: AbortSignal
  /** Effects so far that have an automatic key. */
  #count = 0

  /**
   * @param origin prefix of the automatic keys, the same in each run
   * @param hops hop count of the messages sent
   * @param signal aborted when the run is abandoned or timed out: further effects are refused
   */
  constructor(client: Client, { origin, hops, signal }: { origin: string; hops: number; signal: AbortSignal }) {
    this.#client = client
    this.#origin = origin
    this.#hops = Math.min(hops, MAX_HOPS)
    this.#signal = signal
  }

  async send(to: Recipient, text: string, { key, signal, ...options }: SayOptions = {}): Promise<SentMessage> {
    const site = callSite(this.send)
    const clientId = this.#key(key)
    this.#signal.throwIfAborted()
    const sendOptions = { ...options, clientId, hops: this.#hops, signal: this.#withRunSignal(signal) }
    return this.#client.send(to, text, sendOptions).catch(site)
  }

  /** Sends to the conversation of a message. */
  async reply(message: MessageRef, text: string, { key, signal, ...options }: SayOptions = {}): Promise<SentMessage> {
    const site = callSite(this.reply)
    const clientId = this.#key(key)
    this.#signal.throwIfAborted()
    const sendOptions = { ...options, clientId, hops: this.#hops, signal: this.#withRunSignal(signal) }
    return this.#client.reply(message, text, sendOptions).catch(site)
  }

  /** Uploads a file and sends it. */
  async sendFile(to: Recipient, source: FileSource, options: SayFileOptions = {}): Promise<SentMessage> {
    return this.#withFile(source, options, this.sendFile, (text, more) => this.#client.send(to, text, more))
  }

  /** Uploads a file and sends it to the conversation of a message. */
  async replyFile(message: MessageRef, source: FileSource, options: SayFileOptions = {}): Promise<SentMessage> {
    return this.#withFile(source, options, this.replyFile, (text, more) => this.#client.reply(message, text, more))
  }

  async #withFile(
    source: FileSource,
    { key, signal: given, name, text = '', keepMetadata = false, ...options }: SayFileOptions,
    callee: (...args: never[]) => unknown,
    send: (text: string, options: SendOptions) => Promise<SentMessage>,
  ): Promise<SentMessage> {
    const site = callSite(callee)
    const clientId = this.#key(key)
    this.#signal.throwIfAborted()
    const signal = this.#withRunSignal(given)
    const opened = await openSource(source, name, this.#client)
    try {
      const file = await this.#upload(opened, toWireKey(`file of ${clientId}`), { keepMetadata, signal })
      return await send(text, { ...options, clientId, hops: this.#hops, signal, file })
    } catch (error) {
      return site(error)
    } finally {
      await opened.close()
    }
  }

  /** A second run resumes the upload of the first, unless it makes a file of other content. */
  async #upload(
    { name, size, open }: Openable,
    clientId: string,
    options: Pick<UploadOptions, 'keepMetadata' | 'signal'>,
  ) {
    const about = { ...options, name, size }
    try {
      return (await this.#client.upload(open(), { ...about, clientId })).id
    } catch (error) {
      if (!(error instanceof RefusedByServer) || !OTHER_CONTENT.includes(error.failure)) throw error
      return (await this.#client.upload(open(), about)).id
    }
  }

  /** Sends a text that is being made to the conversation of a message; undefined for no text. */
  async stream(
    { from, group }: MessageRef,
    source: AsyncIterable<string> | Iterable<string>,
    { key, signal, ...options }: SayOptions = {},
  ): Promise<SentMessage | undefined> {
    const site = callSite(this.stream)
    const clientId = this.#key(key)
    this.#signal.throwIfAborted()
    const streamOptions = { ...options, clientId, hops: this.#hops, signal: this.#withRunSignal(signal) }
    return this.#client.stream(group === undefined ? from : { group }, source, streamOptions).catch(site)
  }

  async request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { key, signal, ...options }: EffectOptions = {},
  ): Promise<ReplyOf<M>> {
    const site = callSite(this.request)
    const requestKey = this.#key(key)
    this.#signal.throwIfAborted()
    return this.#client
      .request(message, values, { ...options, key: requestKey, signal: this.#withRunSignal(signal) })
      .catch(site)
  }

  #key(explicit: string | undefined): string {
    return toWireKey(explicit ?? `${this.#origin}/${++this.#count}`)
  }

  #withRunSignal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#signal : AbortSignal.any([signal, this.#signal])
  }
}

/** The key itself, or its SHA-256 if it is longer than MAX_KEY_BYTES. */
export const toWireKey = (key: string): string =>
  Buffer.byteLength(key) <= MAX_KEY_BYTES ? key : createHash('sha256').update(key).digest('base64url')

/** Captures the caller's stack; the returned function appends it to an error, whose own stack ends in the client. */
function callSite(callee: (...args: never[]) => unknown): (error: unknown) => never {
  const site: { stack?: string } = {}
  Error.captureStackTrace(site, callee)
  return (error) => {
    const frames = site.stack?.slice(site.stack.indexOf('\n'))
    if (error instanceof Error && !error.stack?.includes(CALLED)) error.stack = `${error.stack}\n    ${CALLED}${frames}`
    throw error
  }
}

const CALLED = '-- called by the handler --'

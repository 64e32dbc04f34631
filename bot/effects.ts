import { createHash } from 'node:crypto'
import type { Client, InputOf, MessageRef, RequestOptions, SendOptions, SentMessage } from '../client/index.ts'
import type { ClientMessage, ReplyOf } from '../core/wire/index.ts'

/** A user's name, or a group. */
export type Recipient = string | { readonly group: string }

export interface EffectOptions extends RequestOptions {
  /**
   * Your own name of this one act, in place of the one made from the event and the act's running number: two acts of the
   * same name, of this user and in whatever run, are one.
   */
  readonly key?: string
}

export interface SayOptions extends EffectOptions, Pick<SendOptions, 'style'> {}

/** Longest key of the wire, in bytes: the client id of a message. */
const MAX_KEY = 64
/** Largest number of hops of the wire. */
const MAX_HOPS = 255

/**
 * What one run of a handler does to the world. Each act has a key made of where the run comes from and of its running
 * number: a second run of the same handler for the same event, that does the same in the same order, does it once.
 */
export class Effects {
  readonly #client: Client
  readonly #origin: string
  readonly #hops: number
  readonly #signal: AbortSignal
  #acts = 0

  /**
   * @param origin names the event, the same in each run
   * @param hops of what is sent
   * @param signal aborted when the run has been given up: nothing is done after it
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
    const limits = { ...options, clientId, hops: this.#hops, signal: this.#during(signal) }
    return this.#client.send(to, text, limits).catch(site)
  }

  /** Sends to where a message came from. */
  async reply(message: MessageRef, text: string, { key, signal, ...options }: SayOptions = {}): Promise<SentMessage> {
    const site = callSite(this.reply)
    const clientId = this.#key(key)
    this.#signal.throwIfAborted()
    const limits = { ...options, clientId, hops: this.#hops, signal: this.#during(signal) }
    return this.#client.reply(message, text, limits).catch(site)
  }

  async request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { key, signal, ...options }: EffectOptions = {},
  ): Promise<ReplyOf<M>> {
    const site = callSite(this.request)
    const once = this.#key(key)
    this.#signal.throwIfAborted()
    return this.#client.request(message, values, { ...options, key: once, signal: this.#during(signal) }).catch(site)
  }

  #key(own: string | undefined): string {
    return fitting(own ?? `${this.#origin}/${++this.#acts}`)
  }

  #during(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#signal : AbortSignal.any([signal, this.#signal])
  }
}

/** A key as it is, or its hash when it is too long for the wire. */
export const fitting = (key: string): string =>
  Buffer.byteLength(key) <= MAX_KEY ? key : createHash('sha256').update(key).digest('base64url')

/** Remembers where it was called; what is returned rethrows an error with that in its stack, which else is the client's. */
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

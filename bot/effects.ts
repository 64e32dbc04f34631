import { createHash } from 'node:crypto'
import type { Client, InputOf, RequestOptions, SendOptions, SentMessage } from '../client/index.ts'
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
    const clientId = this.#key(key)
    this.#signal.throwIfAborted()
    return this.#client.send(to, text, { ...options, clientId, hops: this.#hops, signal: this.#during(signal) })
  }

  async request<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    { key, signal, ...options }: EffectOptions = {},
  ): Promise<ReplyOf<M>> {
    const once = this.#key(key)
    this.#signal.throwIfAborted()
    return this.#client.request(message, values, { ...options, key: once, signal: this.#during(signal) })
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

import { setTimeout as sleep } from 'node:timers/promises'
import { EventEmitter } from 'eventemitter3'
import {
  type Catalogue,
  type ClientMessage,
  Closing,
  type InputOf,
  type ReplyOf,
  type ServerMessage,
  type ValuesOf,
} from '../core/wire/index.ts'
import { type Address, Channel } from './channel.ts'
import { LEAST_ITERATIONS } from './credentials.ts'
import { ClientError, RefusedByServer } from './errors.ts'
import { Requests } from './requests.ts'

export interface LinkOptions {
  readonly address: Address
  /** The server's fingerprint, `SHA256:…`. Any other key is refused. */
  readonly pin?: string
  /**
   * Fewest PBKDF2 iterations with which keys are derived from a password: 600,000, or 4,096 where the server is known, by
   * `pin` or as the machine's own control socket. A server that poses as another one could else make guessing cheap.
   */
  readonly leastIterations?: number
  /** Decides about the key when there is no pin; throws to refuse. Without it any key is taken on first contact. */
  readonly checkKey?: (key: string) => void | Promise<void>
  /** Time limit of connecting and of each request, milliseconds. Default 10,000. */
  readonly timeout?: number
  /** Whether to connect again, log in again and resend when the connection is lost. Default true. */
  readonly reconnect?: boolean
  /** Ends the client when it aborts. */
  readonly signal?: AbortSignal
  readonly catalogue: Catalogue
}

/** Limits of one request, within the client's own. */
export interface RequestOptions {
  /** Milliseconds. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

export interface KeyedOptions extends RequestOptions {
  /**
   * Names this one act: asked again under the same key, also by another process, the server gives the first reply and
   * does nothing. Over a lost connection the request is then sent again.
   */
  readonly key?: string
}

export interface LifeEvents {
  /** The connection was lost and is being made again. */
  disconnected: [ClientError]
  /** Connected, and logged in if it was before. */
  reconnected: []
  /** It is over: closed, or given up. */
  closed: [ClientError]
}

/** One connection, for those who have to know which: a login is bound to it. */
export interface Line {
  readonly fingerprint: string
  readonly handshakeHash: Buffer
  request<M extends ClientMessage>(message: M, values: InputOf<M>, options?: RequestOptions): Promise<ReplyOf<M>>
}

interface OwnLine extends Line {
  readonly channel: Channel
}

const DEFAULT_TIMEOUT_MS = 10_000
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000
/** Reasons of the server after which coming back at once would only be closed again, or is not wanted. */
const FINAL_REASONS = ['logged_out', 'kicked', 'account_disabled', 'protocol_error', 'too_large']
/** Refusals of a login that trying again would not change. */
const FINAL_REFUSALS = ['login_failed', 'account_disabled', 'user_not_exist']

/** Keeps a connection to a server up until it is closed. */
export class Link {
  readonly #options: LinkOptions
  readonly #restore: (line: Line) => Promise<void>
  readonly #requests: Requests
  readonly #life = new EventEmitter<LifeEvents>()
  /** Aborted at the end: nothing waits or connects after it. */
  readonly #end = new AbortController()
  #line: OwnLine | undefined
  #pin: string | undefined
  #farewell: RefusedByServer | undefined
  #ended: ClientError | undefined
  /** Set while the connection is being made again. */
  #ready: Promise<void> | undefined

  /** @param restore makes a new connection what the lost one was, before anyone else uses it */
  constructor(
    options: LinkOptions,
    onPush: (message: ServerMessage, values: unknown) => void,
    restore: (line: Line) => Promise<void>,
  ) {
    this.#options = options
    this.#pin = options.pin
    this.#restore = restore
    this.#requests = new Requests(options.catalogue, (message, values) => {
      if (message === Closing) this.#farewell = new RefusedByServer(values as ValuesOf<typeof Closing>)
      onPush(message, values)
    })
  }

  /** Fewest iterations for a password, see LinkOptions. */
  get leastIterations(): number {
    const { leastIterations, pin, address } = this.#options
    const isKnown = pin !== undefined || (typeof address === 'object' && 'path' in address)
    return leastIterations ?? LEAST_ITERATIONS[isKnown ? 'pinnedServer' : 'unknownServer']
  }

  /** @throws ClientError `lost` while there is no connection, or what ended the client */
  get line(): Line {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#line === undefined) throw new ClientError('lost', 'the connection is lost')
    return this.#line
  }

  on<E extends keyof LifeEvents>(event: E, listener: (...payload: LifeEvents[E]) => void): () => void {
    this.#life.on(event, listener as never)
    return () => this.#life.off(event, listener as never)
  }

  /** Connects for the first time. @throws ClientError */
  async connect() {
    this.#line = await this.#dial()
  }

  /** Makes a request that may safely be made twice again, each time its connection is lost. */
  async overReconnects<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'lost' && this.#reconnects)) throw error
        await unlessAborted(this.#ready, signal)
      }
    }
  }

  /** A signal that aborts when a request has taken too long, or its caller or the client's owner says so. */
  limit({ timeout = this.#options.timeout ?? DEFAULT_TIMEOUT_MS, signal }: RequestOptions = {}): AbortSignal {
    const signals = [signal, this.#options.signal].filter((given) => given !== undefined)
    const limit = AbortSignal.timeout(timeout)
    // Node lets a time limit that is only part of another signal be collected as garbage, and then it never comes.
    limit.addEventListener('abort', () => {}, { once: true })
    return signals.length === 0 ? limit : AbortSignal.any([limit, ...signals])
  }

  /** Ends it on purpose: `farewell` is the last thing said on a living connection. */
  async close(farewell: (line: Line) => Promise<unknown>) {
    if (this.#ended !== undefined) return
    const line = this.#line
    this.#ended = new ClientError('closed', 'the client was closed')
    this.#end.abort()
    if (line !== undefined) {
      await farewell(line).catch(() => {})
      line.channel.end()
    }
    this.#finish(this.#ended)
  }

  get #reconnects(): boolean {
    return this.#ended === undefined && this.#options.reconnect !== false && !this.#options.signal?.aborted
  }

  async #dial(): Promise<OwnLine> {
    const channel: Channel = await Channel.open({
      address: this.#options.address,
      signal: AbortSignal.any([this.limit(), this.#end.signal]),
      checkKey: async (key) => {
        if (this.#pin === undefined) await this.#options.checkKey?.(key)
        else if (this.#pin !== key)
          throw new ClientError('key_changed', `the server shows the key ${key}, not the pinned ${this.#pin}`)
      },
      onFrame: (frame) => this.#requests.receive(frame),
      onClose: (error) => this.#lost(channel, error),
    })
    // Whoever answered first is who must answer after a reconnect.
    this.#pin = channel.fingerprint
    const { fingerprint, handshakeHash } = channel
    return {
      channel,
      fingerprint,
      handshakeHash,
      request: (message, values, options) =>
        this.#requests.request(message, values, (bytes) => channel.send(bytes), this.limit(options)),
    }
  }

  #lost(channel: Channel, error: ClientError) {
    const farewell = this.#farewell
    this.#farewell = undefined
    const reason = farewell ?? error
    const lost = new ClientError('lost', reason.message, { cause: error })
    // A connection on the way back that breaks is one more try of #comeBack.
    if (this.#line?.channel !== channel) return this.#requests.fail(this.#ended ?? lost)
    this.#line = undefined
    if (this.#ended !== undefined) return this.#requests.fail(this.#ended)
    const isFinal = farewell !== undefined && FINAL_REASONS.includes(farewell.failure)
    if (!this.#reconnects || isFinal) {
      this.#ended = reason
      return this.#finish(reason)
    }
    this.#ready = this.#comeBack().finally(() => {
      this.#ready = undefined
    })
    this.#requests.fail(lost)
    this.#life.emit('disconnected', reason)
  }

  async #comeBack() {
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      // Spread out, or all clients of a restarted server would come back in the same moment.
      await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal: this.#end.signal }).catch(() => {})
      if (this.#ended !== undefined) return
      let line: OwnLine | undefined
      try {
        line = await this.#dial()
        await this.#restore(line)
        if (this.#ended !== undefined) return line.channel.destroy()
        this.#line = line
        this.#life.emit('reconnected')
        return
      } catch (error) {
        line?.channel.destroy()
        if (this.#ended !== undefined) return
        if (this.#reconnects && !isFinalError(error)) continue
        this.#ended = error as ClientError
        return this.#finish(this.#ended)
      }
    }
  }

  #finish(error: ClientError) {
    this.#end.abort()
    this.#requests.fail(error)
    this.#life.emit('closed', error)
  }
}

/** Trying again would not change it: another key, or an account that may not log in any more. */
function isFinalError(error: unknown): boolean {
  if (!(error instanceof ClientError)) return true
  if (error instanceof RefusedByServer) return FINAL_REFUSALS.includes(error.failure)
  return ['key_changed', 'weak_server', 'authentication', 'aborted'].includes(error.code)
}

async function unlessAborted(work: Promise<void> | undefined, signal: AbortSignal | undefined) {
  if (signal === undefined) return work
  if (signal.aborted) return
  await Promise.race([work, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))])
}

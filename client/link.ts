import { EventEmitter } from 'eventemitter3'
import { afterTurn, allowListeners } from '#platform/runtime'
import type { Catalogue, ServerMessage } from '../core/wire/index.ts'
import { Addresses } from './addresses.ts'
import type { Address } from './channel.ts'
import { Connection } from './connection.ts'
import { LEAST_ITERATIONS } from './credentials.ts'
import { abortedBy, ClientError, isFinalClosing, isFinalError, RefusedByServer, retryDelay } from './errors.ts'
import { pause, unlessAborted } from './waiting.ts'

export interface LinkOptions {
  /** Of one server, or of several on one database, which have the same key: tried in turn, also after a lost connection. */
  readonly addresses: readonly Address[]
  /** Pinned fingerprint of the server, `SHA256:…`. Any other key is refused. */
  readonly pin?: string
  /**
   * Fewest PBKDF2 iterations accepted for a password, so that an impostor cannot make guessing cheap. Default 600,000; 4,096
   * for a pinned server or the control socket.
   */
  readonly leastIterations?: number
  /** Called with the key when there is no pin; throws to refuse. Default: the first key is trusted. */
  readonly checkKey?: (key: string) => void | Promise<void>
  /** Time limit of connecting and of each request, milliseconds. Default 10,000. */
  readonly timeout?: number
  /**
   * Idle milliseconds after which the server is pinged; without an answer within `timeout` the connection counts as lost.
   * Default three times `timeout`; 0 for never.
   */
  readonly keepAlive?: number
  /** Whether to reconnect, log in and retry idempotent requests when the connection is lost. Default true. */
  readonly reconnect?: boolean
  /** Ends the client when it aborts. */
  readonly signal?: AbortSignal
  readonly catalogue: Catalogue
}

/** Limits of one request, in addition to the client's own. */
export interface RequestOptions {
  /** Milliseconds. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

export interface KeyedOptions extends RequestOptions {
  /**
   * Idempotency key, valid across processes: a request with a used key has no effect and gets the first reply. With a key,
   * the request is retried after a reconnect.
   */
  readonly key?: string
}

/** Life cycle events of a link. */
export interface LinkEvents {
  /** The connection is lost; the client is reconnecting. */
  disconnected: [reason: ClientError]
  reconnected: []
  /** The client has ended, with the error that ended it; it does not reconnect. */
  closed: [reason: ClientError]
}

const DEFAULT_TIMEOUT_MS = 10_000
/** Default of `keepAlive`, in multiples of `timeout`. */
const KEEP_ALIVE_TIMEOUTS = 3
const FIRST_BACKOFF_MS = 250
const MAX_BACKOFF_MS = 30_000
/** Slow growth: after a restart of some seconds the clients are back within two more. */
const BACKOFF_GROWTH = 1.5

/** A connection to a server that reconnects until it is closed, and retries requests meanwhile. */
export class Link {
  readonly #options: LinkOptions
  readonly #onPush: (message: ServerMessage, values: unknown) => void
  readonly #resume: (connection: Connection) => Promise<void>
  readonly #life = new EventEmitter<LinkEvents>()
  /** Aborted when the link ends, which stops all waiting and connecting. */
  readonly #end = new AbortController()
  readonly #addresses: Addresses<Address>
  readonly #onSignal = () => this.#stop()
  #connection: Connection | undefined
  #pin: string | undefined
  #ended: ClientError | undefined
  /** Set while reconnecting; never rejects. */
  #reconnecting: Promise<void> | undefined

  /** @param resume prepares a new connection before it is used: logs in and subscribes as on the lost one */
  constructor(
    options: LinkOptions,
    onPush: (message: ServerMessage, values: unknown) => void,
    resume: (connection: Connection) => Promise<void>,
  ) {
    this.#options = options
    // Each request that waits for its next attempt listens.
    allowListeners(this.#end.signal)
    this.#addresses = new Addresses(options.addresses)
    this.#pin = options.pin
    this.#onPush = onPush
    this.#resume = resume
  }

  /** Fewest iterations for a password, see LinkOptions. */
  get leastIterations(): number {
    const { leastIterations, pin } = this.#options
    const address = this.#addresses.current
    const isKnown = pin !== undefined || (typeof address === 'object' && 'path' in address)
    return leastIterations ?? LEAST_ITERATIONS[isKnown ? 'pinnedServer' : 'unknownServer']
  }

  /** @throws ClientError `lost` while there is no connection, or what ended the client */
  get connection(): Connection {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#connection === undefined) throw new ClientError('lost', 'the connection is lost')
    return this.#connection
  }

  on<E extends keyof LinkEvents>(event: E, listener: (...payload: LinkEvents[E]) => void): () => void {
    this.#life.on(event, listener as never)
    return () => this.#life.off(event, listener as never)
  }

  /** Connects for the first time. @throws ClientError */
  async connect() {
    const { signal } = this.#options
    this.#connection = await this.#dial()
    signal?.addEventListener('abort', this.#onSignal, { once: true })
    if (signal?.aborted) this.#stop()
  }

  /**
   * Retries an idempotent request each time its connection is lost.
   * @throws ClientError of the signal as soon as it aborts; any other error of the request
   */
  async retryOverReconnects<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      // Checked in each round: while there is no connection the request fails before it checks its own signal.
      if (signal?.aborted) throw abortedBy(signal, 'the connection did not come back')
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'lost')) throw error
        if (!this.#mayReconnect) throw this.#ended ?? error
        await unlessAborted(this.#whenReconnected(), signal)
      }
    }
  }

  /**
   * Retries an idempotent request until it is answered: after reconnects, timeouts of an attempt and transient failures.
   * @param signal the only limit, besides the end of the client
   */
  async retryUntilAnswered<T>(request: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let refusals = 0; ; ) {
      try {
        return await this.retryOverReconnects(() => request(this.limit(signal === undefined ? {} : { signal })), signal)
      } catch (error) {
        if (signal?.aborted || !this.#mayReconnect || !(error instanceof ClientError)) throw error
        if (error.code === 'timed_out') continue
        const ms = error instanceof RefusedByServer ? retryDelay(error, refusals++) : undefined
        if (ms === undefined) throw error
        await unlessAborted(pause(ms, signal), this.#end.signal)
      }
    }
  }

  /** A signal that aborts at the request's timeout, or with the signal of the request or of the client. */
  limit({ timeout = this.#options.timeout ?? DEFAULT_TIMEOUT_MS, signal }: RequestOptions = {}): AbortSignal {
    const signals = [signal, this.#options.signal].filter((given) => given !== undefined)
    const limit = AbortSignal.timeout(Math.ceil(timeout))
    // Without a listener, Node may garbage-collect a timeout signal inside AbortSignal.any, which then never fires.
    limit.addEventListener('abort', () => {}, { once: true })
    return signals.length === 0 ? limit : AbortSignal.any([limit, ...signals])
  }

  /** Closes the link on purpose. @param logOut the last request, if there is a connection */
  async close(logOut: (connection: Connection) => Promise<unknown>) {
    if (this.#ended !== undefined) return
    const connection = this.#connection
    this.#ended = new ClientError('closed', 'the client was closed')
    this.#end.abort()
    // Best effort: the link ends even if the logout fails.
    if (connection !== undefined) await logOut(connection).catch(() => {})
    this.#finish(this.#ended)
  }

  /** Ends the link for good because of an error, for example a protocol violation of the server. */
  fail(error: ClientError) {
    if (this.#ended !== undefined) return
    this.#connection?.destroy(error)
    this.#finish(error)
  }

  /** Ends the link when its `signal` aborts. */
  #stop() {
    const { signal } = this.#options
    if (this.#ended !== undefined || signal === undefined) return
    this.#finish(abortedBy(signal, 'the client did not end'))
  }

  get #mayReconnect(): boolean {
    return this.#ended === undefined && this.#options.reconnect !== false && !this.#options.signal?.aborted
  }

  /** Resolves when the link has reconnected or ended. */
  #whenReconnected(): Promise<void> {
    // Already reconnected: the request failed on the previous connection. One turn avoids a busy loop.
    return this.#reconnecting ?? new Promise((resolve) => afterTurn(resolve))
  }

  #dial(): Promise<Connection> {
    const ended = [this.limit(), this.#end.signal]
    return this.#addresses.open(
      (address, attempt) => this.#open(address, AbortSignal.any(attempt === undefined ? ended : [...ended, attempt])),
      (error) => isFinalError(error) || ended.some(({ aborted }) => aborted),
    )
  }

  #open(address: Address, signal: AbortSignal): Promise<Connection> {
    const { catalogue, timeout = DEFAULT_TIMEOUT_MS, keepAlive = KEEP_ALIVE_TIMEOUTS * timeout } = this.#options
    return Connection.open({
      address,
      catalogue,
      keepAliveMs: keepAlive,
      pingTimeoutMs: timeout,
      signal,
      checkKey: async (key) => {
        if (this.#pin === undefined) await this.#options.checkKey?.(key)
        else if (this.#pin !== key)
          throw new ClientError('key_changed', `the server shows the key ${key}, not the pinned ${this.#pin}`)
        // Trust on first use: a reconnect must find the same key.
        this.#pin = key
      },
      onPush: this.#onPush,
      onEnd: (connection, { error, closing }) => this.#lost(connection, closing ?? error, closing),
    })
  }

  /** @returns the error for the requests in flight */
  #lost(connection: Connection, reason: ClientError, closing: RefusedByServer | undefined): ClientError {
    if (this.#ended !== undefined) return this.#ended
    const lost = new ClientError('lost', reason.message, { cause: reason })
    // A connection that is lost before it is in use is one more attempt of #reconnect.
    if (this.#connection !== connection) return lost
    this.#connection = undefined
    this.#addresses.leave()
    const isFinal = closing !== undefined && isFinalClosing(closing)
    if (!this.#mayReconnect || isFinal) {
      this.#finish(reason)
      return reason
    }
    const reconnecting = this.#reconnect().finally(() => {
      if (this.#reconnecting === reconnecting) this.#reconnecting = undefined
    })
    this.#reconnecting = reconnecting
    this.#life.emit('disconnected', reason)
    return lost
  }

  async #reconnect() {
    for (let ms = FIRST_BACKOFF_MS; ; ms = Math.min(ms * BACKOFF_GROWTH, MAX_BACKOFF_MS)) {
      // Jitter: the clients of a restarted server must not all reconnect at once.
      await pause(ms * (0.5 + Math.random() / 2), this.#end.signal)
      if (this.#ended !== undefined) return
      let connection: Connection | undefined
      try {
        connection = await this.#dial()
        await this.#resume(connection)
        if (this.#ended !== undefined) return connection.destroy(this.#ended)
        if (connection.isOver) continue
        this.#connection = connection
        this.#life.emit('reconnected')
        return
      } catch (error) {
        connection?.destroy(new ClientError('lost', 'the reconnect failed', { cause: error }))
        if (this.#ended !== undefined) return
        if (this.#mayReconnect && !isFinalError(error)) {
          // Such as a login while the server is stopping.
          if (connection !== undefined) this.#addresses.leave()
          continue
        }
        return this.#finish(error as ClientError)
      }
    }
  }

  #finish(error: ClientError) {
    this.#ended = error
    this.#options.signal?.removeEventListener('abort', this.#onSignal)
    this.#end.abort()
    this.#connection?.end(error)
    this.#connection = undefined
    this.#life.emit('closed', error)
  }
}

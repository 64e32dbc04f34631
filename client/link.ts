import { EventEmitter } from 'eventemitter3'
import type { Catalogue, ServerMessage } from '../core/wire/index.ts'
import type { Address } from './channel.ts'
import { LEAST_ITERATIONS } from './credentials.ts'
import { abortedBy, ClientError, pauseAfter, RefusedByServer } from './errors.ts'
import { Line } from './line.ts'
import { pause, unlessAborted } from './waiting.ts'

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
  /**
   * Milliseconds of silence after which the server is asked whether it lives; without an answer within `timeout` the
   * connection counts as lost. Default three times `timeout`; 0: never.
   */
  readonly keepAlive?: number
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

/** What a link tells of its own life. */
export interface LinkEvents {
  /** The connection is lost and is made again. */
  disconnected: [reason: ClientError]
  reconnected: []
  /** It is over; with the error that ended it. */
  closed: [reason: ClientError]
}

const DEFAULT_TIMEOUT_MS = 10_000
/** Times that a request may take, after which a silent connection is looked into. */
const SILENCES = 3
const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 30_000
/** Reasons of the server after which coming back at once would only be closed again, or is not wanted. */
const FINAL_REASONS = ['logged_out', 'kicked', 'account_disabled', 'protocol_error', 'too_large']
/** Refusals of a login that trying again would not change. */
const FINAL_REFUSALS = ['login_failed', 'account_disabled', 'user_not_exist']

/** Keeps a connection to a server up until it is closed. */
export class Link {
  readonly #options: LinkOptions
  readonly #onPush: (message: ServerMessage, values: unknown) => void
  readonly #restore: (line: Line) => Promise<void>
  readonly #life = new EventEmitter<LinkEvents>()
  /** Aborted at the end: nothing waits or connects after it. */
  readonly #end = new AbortController()
  readonly #stopped = () => this.#stop()
  #line: Line | undefined
  #pin: string | undefined
  #ended: ClientError | undefined
  /** Set while the connection is being made again; never rejects. */
  #ready: Promise<void> | undefined

  /** @param restore makes a new connection what the lost one was, before anyone else uses it */
  constructor(
    options: LinkOptions,
    onPush: (message: ServerMessage, values: unknown) => void,
    restore: (line: Line) => Promise<void>,
  ) {
    this.#options = options
    this.#pin = options.pin
    this.#onPush = onPush
    this.#restore = restore
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

  on<E extends keyof LinkEvents>(event: E, listener: (...payload: LinkEvents[E]) => void): () => void {
    this.#life.on(event, listener as never)
    return () => this.#life.off(event, listener as never)
  }

  /** Connects for the first time. @throws ClientError */
  async connect() {
    const { signal } = this.#options
    this.#line = await this.#dial()
    signal?.addEventListener('abort', this.#stopped, { once: true })
    if (signal?.aborted) this.#stop()
  }

  /**
   * Makes a request that may safely be made twice again, each time its connection is lost.
   * @throws ClientError what the request throws otherwise, or of the signal, as soon as that aborts
   */
  async overReconnects<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      // Looked at first, and in each round: while the connection is away the request would never look at it.
      if (signal?.aborted) throw abortedBy(signal, 'the connection did not come back')
      try {
        return await request()
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'lost')) throw error
        if (!this.#reconnects) throw this.#ended ?? error
        await unlessAborted(this.#whenBack(), signal)
      }
    }
  }

  /**
   * Makes a request that may safely be made twice until it is answered: over lost connections, time limits of one try
   * and refusals that pass.
   * @param signal the only limit there is, besides the client's end
   */
  async persist<T>(request: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let refusals = 0; ; ) {
      try {
        return await this.overReconnects(() => request(this.limit(signal === undefined ? {} : { signal })), signal)
      } catch (error) {
        if (signal?.aborted || !this.#reconnects || !(error instanceof ClientError)) throw error
        if (error.code === 'timed_out') continue
        const ms = error instanceof RefusedByServer ? pauseAfter(error, refusals++) : undefined
        if (ms === undefined) throw error
        await unlessAborted(pause(ms, signal), this.#end.signal)
      }
    }
  }

  /** A signal that aborts when a request has taken too long, or its caller or the client's owner says so. */
  limit({ timeout = this.#options.timeout ?? DEFAULT_TIMEOUT_MS, signal }: RequestOptions = {}): AbortSignal {
    const signals = [signal, this.#options.signal].filter((given) => given !== undefined)
    const limit = AbortSignal.timeout(Math.ceil(timeout))
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
    // Whether it was taken or the connection had gone: it ends.
    if (line !== undefined) await farewell(line).catch(() => {})
    this.#finish(this.#ended)
  }

  /** Ends it because of what the server does; it does not come back. */
  fail(error: ClientError) {
    if (this.#ended !== undefined) return
    this.#line?.destroy(error)
    this.#finish(error)
  }

  /** The client's owner says so. */
  #stop() {
    const { signal } = this.#options
    if (this.#ended !== undefined || signal === undefined) return
    this.#finish(abortedBy(signal, 'the client had to end'))
  }

  get #reconnects(): boolean {
    return this.#ended === undefined && this.#options.reconnect !== false && !this.#options.signal?.aborted
  }

  /** While the connection is being made again: when it is there, or it is over. */
  #whenBack(): Promise<void> {
    // A request may have looked at the connection before the one that is here now: a turn of the event loop is enough.
    return this.#ready ?? new Promise((resolve) => setImmediate(resolve))
  }

  #dial(): Promise<Line> {
    const { address, catalogue, timeout = DEFAULT_TIMEOUT_MS, keepAlive = SILENCES * timeout } = this.#options
    return Line.open({
      address,
      catalogue,
      silence: keepAlive,
      patience: timeout,
      signal: AbortSignal.any([this.limit(), this.#end.signal]),
      checkKey: async (key) => {
        if (this.#pin === undefined) await this.#options.checkKey?.(key)
        else if (this.#pin !== key)
          throw new ClientError('key_changed', `the server shows the key ${key}, not the pinned ${this.#pin}`)
        // Whoever answered first is who must answer after a reconnect.
        this.#pin = key
      },
      onPush: this.#onPush,
      onEnd: (line, { error, farewell }) => this.#lost(line, farewell ?? error, farewell),
    })
  }

  /** @returns what the requests that were under way there are rejected with */
  #lost(line: Line, reason: ClientError, farewell: RefusedByServer | undefined): ClientError {
    if (this.#ended !== undefined) return this.#ended
    const lost = new ClientError('lost', reason.message, { cause: reason })
    // A connection on the way back that breaks is one more try of #comeBack.
    if (this.#line !== line) return lost
    this.#line = undefined
    const isFinal = farewell !== undefined && FINAL_REASONS.includes(farewell.failure)
    if (!this.#reconnects || isFinal) {
      this.#finish(reason)
      return reason
    }
    const ready = this.#comeBack().finally(() => {
      if (this.#ready === ready) this.#ready = undefined
    })
    this.#ready = ready
    this.#life.emit('disconnected', reason)
    return lost
  }

  async #comeBack() {
    for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LAST_RETRY_MS)) {
      // Spread out, or all clients of a restarted server would come back in the same moment.
      await pause(wait * (0.5 + Math.random() / 2), this.#end.signal)
      if (this.#ended !== undefined) return
      let line: Line | undefined
      try {
        line = await this.#dial()
        await this.#restore(line)
        if (this.#ended !== undefined) return line.destroy(this.#ended)
        if (line.isOver) continue
        this.#line = line
        this.#life.emit('reconnected')
        return
      } catch (error) {
        line?.destroy(new ClientError('lost', 'the connection could not be made again', { cause: error }))
        if (this.#ended !== undefined) return
        if (this.#reconnects && !isFinalError(error)) continue
        return this.#finish(error as ClientError)
      }
    }
  }

  #finish(error: ClientError) {
    this.#ended = error
    this.#options.signal?.removeEventListener('abort', this.#stopped)
    this.#end.abort()
    this.#line?.end(error)
    this.#line = undefined
    this.#life.emit('closed', error)
  }
}

/** Trying again would not change it: another key, or an account that may not log in any more. */
function isFinalError(error: unknown): boolean {
  if (!(error instanceof ClientError)) return true
  if (error instanceof RefusedByServer) return FINAL_REFUSALS.includes(error.failure)
  return ['key_changed', 'weak_server', 'authentication', 'aborted'].includes(error.code)
}

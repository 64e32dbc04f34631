import type { Logger } from 'pino'
import type { HttpHandlers, HttpListener, HttpOptions } from './http.ts'
import type { Listener, OnConnection } from './listener.ts'
import { listenTcp, type TcpAddress, type TcpListener } from './tcp.ts'
import { listenUnix } from './unix.ts'

/** The listeners of one server. */
export class Listeners {
  readonly #log: Logger
  readonly #open: Listener[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  /** @throws SetupError */
  async tcp(address: TcpAddress, onConnection: OnConnection): Promise<TcpListener> {
    return this.#add(await listenTcp(address, { onConnection, onError: this.#onError }))
  }

  /** @throws SetupError */
  async unix(path: string, onConnection: OnConnection) {
    this.#add(await listenUnix(path, { onConnection, onError: this.#onError }))
  }

  /** @throws SetupError */
  async http(options: HttpOptions, handlers: Omit<HttpHandlers, 'onError'>): Promise<HttpListener> {
    const { listenHttp } = await import('./http.ts')
    return this.#add(await listenHttp(options, { ...handlers, onError: this.#onError }))
  }

  /** Whether requests that belong to no session are being answered. */
  get isBusy(): boolean {
    return this.#open.some((listener) => listener.isBusy?.())
  }

  report(): Record<string, number | string> {
    return Object.assign({}, ...this.#open.map((listener) => listener.report?.()))
  }

  /** Stops accepting connections; open ones continue. */
  close() {
    for (const listener of this.#open) listener.close()
  }

  /** Ends what is open and no session. */
  destroy() {
    for (const listener of this.#open) listener.destroy?.()
  }

  #add<L extends Listener>(listener: L): L {
    this.#open.push(listener)
    return listener
  }

  readonly #onError = (error: Error) => this.#log.error({ err: error }, 'cannot accept a connection')
}

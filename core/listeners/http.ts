import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import { answer } from '../http/exchange.ts'
import { OriginCheck } from '../http/origin-check.ts'
import { PeerLimits } from '../http/peer-limits.ts'
import type { Readiness } from '../http/readiness.ts'
import type { Routes } from '../http/routes.ts'
import { TrustedProxies } from '../http/trusted-proxies.ts'
import type { Limits } from '../limits.ts'
import { isLoopback, plainAddress } from '../session/address.ts'
import { type Listener, type ListenerHandlers, listening } from './listener.ts'
import type { TcpAddress } from './tcp.ts'
import { Upgrades } from './upgrade.ts'

const MAX_HEADER_BYTES = 16 * 1024
/** How often Node looks for requests that take too long. */
const CHECK_MS = 1000

export interface HttpOptions extends TcpAddress {
  /** Origins of pages that may open a WebSocket; if empty, those that have the host of the request. */
  readonly origins?: readonly string[]
  /** Addresses and networks of reverse proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[]
}

export interface HttpHandlers extends ListenerHandlers {
  readonly routes: Routes
  readonly limits: Limits
  readonly clock: Clock
  /** Whether one more session is admitted from there; counts it. `onConnection` follows. */
  admits(address: string): boolean
  readonly readiness: Readiness
}

export interface HttpListener extends Listener {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:7380` */
  readonly url: string
}

/**
 * Listens for HTTP: the routes of plugins, the state of the server, and WebSockets, which carry the native protocol.
 * @throws SetupError
 */
export async function listenHttp(options: HttpOptions, handlers: HttpHandlers): Promise<HttpListener> {
  const { host, port, origins = [], trustedProxies = [] } = options
  const proxies = new TrustedProxies(trustedProxies)
  const upgrades = new Upgrades({ ...handlers, origins: new OriginCheck(origins) })
  const peers = new PeerLimits(handlers.limits, handlers.clock)
  const server = createHttpServer(handlers.limits)
  const leaving = new WeakMap<Duplex, () => void>()
  let [inFlight, requests] = [0, 0]
  let isClosing = false

  const peerOf = ({ socket, headers }: IncomingMessage) => {
    const forwarded = headers['x-forwarded-for'] as string | undefined
    const direct = plainAddress(socket.remoteAddress ?? 'unknown')
    return { address: proxies.addressOf(direct, forwarded), isLocal: isLoopback(direct) && !proxies.has(direct) }
  }
  server.on('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress ?? 'unknown')
    const leave = peers.enter(proxies.has(address) ? undefined : address)
    if (leave === undefined) return void socket.destroy()
    leaving.set(socket, leave)
    socket.once('close', leave)
  })
  server.on('request', (request, response) => {
    inFlight++
    requests++
    if (isClosing) response.setHeader('Connection', 'close')
    const { address } = peerOf(request)
    const { routes, limits, readiness } = handlers
    const parts = { routes, address, maxBody: limits.httpBody, take: (from: string) => peers.take(from), readiness }
    void answer(request, response, parts).then(() => {
      inFlight--
    })
  })
  server.on('upgrade', (request, socket, head) => {
    requests++
    // From here on it counts as a session.
    leaving.get(socket)?.()
    upgrades.accept(request, socket, head, peerOf(request))
  })
  await listening(server, () => server.listen(port, host), `${host}:${port}`, handlers)
  const bound = server.address() as AddressInfo
  const address = `${bound.address.includes(':') ? `[${bound.address}]` : bound.address}:${bound.port}`
  const url = `http://${address}`
  return {
    host: bound.address,
    port: bound.port,
    address,
    url,
    isBusy: () => inFlight > 0,
    report: () => ({ http: url, httpConnections: peers.size, httpRequests: requests, webSockets: upgrades.open }),
    close: () => {
      isClosing = true
      // Ends idle connections too.
      server.close()
    },
    destroy: () => server.closeAllConnections(),
  }
}

function createHttpServer({ httpHeaders, httpRequest, httpIdle, httpKeepAlive }: Limits) {
  const server = createServer({
    noDelay: true,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: httpHeaders,
    requestTimeout: httpRequest,
    keepAliveTimeout: httpKeepAlive,
    connectionsCheckingInterval: CHECK_MS,
  })
  server.timeout = httpIdle
  return server
}

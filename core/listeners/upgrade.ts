import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { SECURITY_HEADERS } from '../http/headers.ts'
import type { OriginCheck } from '../http/origin-check.ts'
import { splitTarget } from '../http/request.ts'
import { CHAT_PATH } from '../http/routes.ts'
import { SUBPROTOCOL, WebSocketStream } from '../websocket/index.ts'

/** Longest WebSocket message in bytes: more than a client writes at once, and little for a peer that has not logged in. */
const MAX_PAYLOAD = 512 * 1024
/** Time in which a peer answers the close frame, after which its connection is cut. */
const CLOSE_MS = 1000

export interface UpgradeParts {
  readonly origins: OriginCheck
  /** Whether one more connection is admitted; counts it. */
  admits(address: string): boolean
  onConnection(stream: Duplex, address: string): void
}

/** Turns HTTP requests for `/chat` into streams. */
export class Upgrades {
  readonly #parts: UpgradeParts
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_PAYLOAD,
    // Not in the types of the library yet.
    ...({ closeTimeout: CLOSE_MS } as object),
    handleProtocols: () => SUBPROTOCOL,
  })
  #open = 0

  constructor(parts: UpgradeParts) {
    this.#parts = parts
  }

  /** Open WebSockets. */
  get open(): number {
    return this.#open
  }

  /** @param isLocal see OriginCheck */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, peer: { address: string; isLocal: boolean }) {
    // An error without a listener would end the process; the socket closes after it.
    socket.on('error', () => {})
    const refusal = this.#refusal(request, peer)
    if (refusal !== undefined) return refuse(socket, ...refusal)
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open++
      const stream = new WebSocketStream(webSocket)
      stream.once('close', () => {
        this.#open--
      })
      this.#parts.onConnection(stream, peer.address)
    })
  }

  #refusal(
    request: IncomingMessage,
    { address, isLocal }: { address: string; isLocal: boolean },
  ): readonly [status: number, text: string] | undefined {
    const { upgrade, 'sec-websocket-protocol': protocols = '' } = request.headers
    if (upgrade?.toLowerCase() !== 'websocket') return [400, 'only an upgrade to websocket is possible']
    if (splitTarget(request).path !== CHAT_PATH) return [404, `a WebSocket is at ${CHAT_PATH}`]
    if (!this.#parts.origins.allows(request.headers, isLocal))
      return [403, 'the origin of the page is not allowed; the setting httpOrigins names those that are']
    if (!protocols.split(',').some((protocol) => protocol.trim() === SUBPROTOCOL))
      return [400, `the subprotocol is ${SUBPROTOCOL}`]
    if (!this.#parts.admits(address)) return [503, 'too many connections']
    return undefined
  }
}

function refuse(socket: Duplex, status: number, text: string) {
  const body = `${text}\n`
  const headers = {
    ...SECURITY_HEADERS,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    ...(status === 503 && { 'Retry-After': 1 }),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}

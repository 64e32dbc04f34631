import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SECURITY_HEADERS } from '../../core/http/headers.ts'
import type { TcpAddress } from '../../core/index.ts'
import { listening } from '../../core/listeners/listener.ts'
import type { Exposition } from './exposition.ts'

/** Connections at once: Prometheus keeps one open. */
const MAX_CONNECTIONS = 32
const TIMEOUT_MS = 10_000

export interface MetricsListener {
  readonly host: string
  readonly url: string
  close(): void
}

/** Serves `/metrics` at an address of its own. @throws SetupError */
export async function listenForScrapes(
  { host, port }: TcpAddress,
  { read, onError }: { read(): Promise<Exposition>; onError(error: unknown): void },
): Promise<MetricsListener> {
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS }, (request, response) => {
    respond(request, response, read).catch((error: unknown) => {
      onError(error)
      response.destroy()
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  server.timeout = TIMEOUT_MS
  // A scrape interval is longer: each scrape may connect anew.
  server.keepAliveTimeout = TIMEOUT_MS
  await listening(server, () => server.listen(port, host), `${host}:${port} for metrics`, { onError })
  const bound = server.address() as AddressInfo
  const shown = bound.address.includes(':') ? `[${bound.address}]` : bound.address
  return {
    host: bound.address,
    url: `http://${shown}:${bound.port}/metrics`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function respond(request: IncomingMessage, response: ServerResponse, read: () => Promise<Exposition>) {
  const [path] = (request.url ?? '').split('?')
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (path !== '/metrics' || !isRead)
    return send(response, isRead ? 404 : 405, TEXT, 'the metrics are at GET /metrics\n')
  const { type, text } = await read()
  send(response, 200, type, text)
}

const TEXT = 'text/plain; charset=utf-8'

function send(response: ServerResponse, status: number, type: string, text: string) {
  const body = Buffer.from(text)
  response.writeHead(status, { ...SECURITY_HEADERS, 'Content-Type': type, 'Content-Length': body.length }).end(body)
}

import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import type { Server } from '../../../core/index.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
}

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
  "manifest-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types chatctl"

export interface WebServer {
  readonly url: string
  /** Cuts the open WebSockets, as a bad line does. */
  cut(): void
  /** Refuses new WebSockets, and cuts those that are open, until it is called with false. */
  block(isBlocked: boolean): void
  /** Serves nothing any more. */
  stop(): void
  /** WebSockets that are open. */
  readonly connections: number
  /** The chat server behind the page, which a restart replaces. */
  server: Server
}

/** Serves the built page of `dist/web`, and at `/chat` a chat server. */
export async function serveWeb(t: ExecutionContext, server: Server): Promise<WebServer> {
  const open = new Set<WebSocket>()
  let isBlocked = false
  const http = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '')
    const file = join('dist/web', path)
    if (path.includes('..') || !existsSync(file)) return response.writeHead(404).end()
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    return response.writeHead(200, { 'content-type': type, 'content-security-policy': CSP }).end(readFileSync(file))
  })
  const sockets = new WebSocketServer({
    server: http,
    path: '/chat',
    verifyClient: () => !isBlocked,
    handleProtocols: (protocols) => (protocols.has('chatctl.noise.v1') ? 'chatctl.noise.v1' : false),
  })
  const web: WebServer = {
    url: '',
    server,
    cut: () => {
      for (const socket of open) socket.terminate()
    },
    block: (now) => {
      isBlocked = now
      if (now) web.cut()
    },
    stop: () => {
      web.cut()
      http.closeAllConnections()
      http.close()
    },
    get connections() {
      return open.size
    },
  }
  sockets.on('connection', (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    const stream = createWebSocketStream(socket)
    stream.on('error', () => stream.destroy())
    web.server.accept(stream, { address: '127.0.0.1' })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(web.stop)
  return Object.assign(web, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/` })
}

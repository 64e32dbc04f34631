import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import type { Server } from '../../../core/index.ts'

export interface PageServer {
  readonly port: number
  /** Binary frames that clients sent, as they came. */
  readonly sent: readonly Buffer[]
  /** Cuts the WebSocket on which the next frame of a client comes, after the chat server got it. */
  cutAtNextFrame(): void
}

const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript', html: 'text/html; charset=utf-8' }

/**
 * Serves files by their path, and at `/chat` the WebSocket of a chat server. It is on a port of loopback that the kernel
 * chose, and closes with the test.
 */
export async function servePage(
  t: ExecutionContext,
  files: Readonly<Record<string, string | Buffer>>,
  server: Server,
): Promise<PageServer> {
  const http = createServer((request, response) => {
    const path = request.url ?? '/'
    const content = files[path]
    const type = TYPES[path.split('.').at(-1) ?? ''] ?? TYPES.html
    response.writeHead(content === undefined ? 404 : 200, { 'content-type': type }).end(content)
  })
  const sent: Buffer[] = []
  const open = new Set<WebSocket>()
  let isCutting = false
  const sockets = new WebSocketServer({
    server: http,
    path: '/chat',
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has('chatctl.noise.v1') ? 'chatctl.noise.v1' : false),
  })
  sockets.on('connection', (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    const stream = createWebSocketStream(socket)
    socket.on('message', (data: Buffer) => {
      sent.push(data)
      if (isCutting) socket.terminate()
      isCutting = false
    })
    // A cut connection is an error of the stream; the server sees its end.
    stream.on('error', () => stream.destroy())
    server.accept(stream, { address: '127.0.0.1' })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.terminate()
    http.closeAllConnections()
    http.close()
  })
  const cutAtNextFrame = () => {
    isCutting = true
  }
  return { port: (http.address() as AddressInfo).port, sent, cutAtNextFrame }
}

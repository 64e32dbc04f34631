import { once } from 'node:events'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { WebSocket } from 'ws'
import type { OpenServerOptions } from '../../../cli/server/assembly.ts'
import { type LocalServer, startLocalServer } from '../server.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Buffer
}

/** One HTTP request on a connection of its own. The path is sent as it is. */
export async function ask(
  base: string,
  path: string,
  { method = 'GET', headers = {}, body }: AskOptions = {},
): Promise<Answer> {
  const { hostname, port } = new URL(base)
  const sent = request({ host: hostname, port, path, method, headers, agent: false })
  sent.end(body)
  const [response] = await once(sent, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const whole = Buffer.concat(chunks)
  return { status: response.statusCode, headers: response.headers, body: whole, text: whole.toString() }
}

/** A TCP connection to an HTTP listener, for requests that are not well-formed. */
export async function openSocket(base: string): Promise<Socket> {
  const { hostname, port } = new URL(base)
  const socket = connect({ host: hostname, port: Number(port) })
  // The server may reset it.
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** All that the peer sends until it closes. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  if (!socket.destroyed) await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

export interface WebSocketOptions {
  readonly path?: string
  readonly protocols?: readonly string[]
  readonly headers?: Record<string, string>
}

/** A WebSocket that may still be refused. */
export const openWebSocket = (
  base: string,
  { path = '/chat', protocols = ['chatctl.noise.v1'], headers = {} }: WebSocketOptions = {},
): WebSocket => new WebSocket(base.replace(/^http/, 'ws') + path, [...protocols], { perMessageDeflate: false, headers })

/** Opens a WebSocket and cuts it: 101, or the status of the refusal. */
export function statusOf(socket: WebSocket): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode ?? 0)
    })
    socket.once('error', reject)
  })
}

/** The code of the close frame; 1006 if none came. */
export const closeCodeOf = async (socket: WebSocket): Promise<number> => (await once(socket, 'close'))[0]

export interface HttpServer extends LocalServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Address of its WebSocket, for `connect`. */
  readonly webSocket: string
  /** A value of `chatctl status`. */
  figure(name: string): unknown
  /** See `statusOf`. */
  status(headers: Record<string, string>, options?: WebSocketOptions): Promise<number>
}

export interface HttpServerOptions extends Partial<OpenServerOptions> {
  readonly origins?: readonly string[]
  readonly trustedProxies?: readonly string[]
}

/** A server in the test's process that listens for HTTP too. */
export async function startHttpServer(
  t: ExecutionContext,
  { origins = [], trustedProxies = [], ...options }: HttpServerOptions = {},
): Promise<HttpServer> {
  const local = await startLocalServer(t, options)
  const { url } = await local.server.listenHttp({ host: '127.0.0.1', port: 0, origins, trustedProxies })
  return {
    ...local,
    url,
    webSocket: `${url.replace(/^http/, 'ws')}/chat`,
    figure: (name) => (local.server.status() as Record<string, unknown>)[name],
    status: (headers, options) => statusOf(openWebSocket(url, { ...options, headers })),
  }
}

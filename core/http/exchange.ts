import type { IncomingMessage, ServerResponse } from 'node:http'
import { SECURITY_HEADERS } from './headers.ts'
import type { Readiness } from './readiness.ts'
import { HttpRefusal } from './refusal.ts'
import { HttpRequest, splitTarget } from './request.ts'
import { CHAT_PATH, HEALTH_PATH, type OwnedRoute, READY_PATH, type Routes } from './routes.ts'

export interface ExchangeParts {
  readonly routes: Routes
  /** Address of the peer that asks. */
  readonly address: string
  /** Longest body of a route that sets none. */
  readonly maxBody: number
  /** Counts the request; returns the milliseconds after which it would be in the rate. */
  take(address: string): number
  readonly readiness: Readiness
}

/** Answers one request; resolves when its handler is done. Never rejects. */
export async function answer(raw: IncomingMessage, response: ServerResponse, parts: ExchangeParts): Promise<void> {
  for (const name in SECURITY_HEADERS) response.setHeader(name, SECURITY_HEADERS[name] as string)
  try {
    const wait = parts.take(parts.address)
    if (wait > 0)
      throw new HttpRefusal(429, 'too many requests from this address', { 'Retry-After': `${Math.ceil(wait / 1000)}` })
    const { path } = splitTarget(raw)
    if (path === HEALTH_PATH) return sendText(response, 200, 'ok')
    if (path === READY_PATH) {
      const obstacle = await parts.readiness.obstacle()
      return obstacle === undefined ? sendText(response, 200, 'ok') : sendText(response, 503, `not ready: ${obstacle}`)
    }
    if (path === CHAT_PATH)
      throw new HttpRefusal(426, 'a WebSocket is here', { Upgrade: 'websocket', Connection: 'Upgrade' })
    const owned = path === '' ? undefined : parts.routes.of(path)
    if (owned === undefined) throw new HttpRefusal(404)
    await handle(owned, raw, response, parts)
  } catch (error) {
    refuse(response, error as HttpRefusal)
  }
}

/** Calls the handler of a route. @throws HttpRefusal */
async function handle(
  { route, failed }: OwnedRoute,
  raw: IncomingMessage,
  response: ServerResponse,
  parts: ExchangeParts,
) {
  const { methods = ['GET'], maxBody = parts.maxBody } = route
  const allowed = methods.includes('GET') ? [...methods, 'HEAD'] : methods
  if (!allowed.includes(raw.method ?? '')) throw new HttpRefusal(405, undefined, { Allow: allowed.join(', ') })
  const over = new AbortController()
  response.once('close', () => over.abort())
  // Such as a write after the end: without a listener it would end the process.
  response.on('error', failed)
  try {
    await route.handle(new HttpRequest(raw, { address: parts.address, maxBody, signal: over.signal }), response)
  } catch (error) {
    if (error instanceof HttpRefusal) throw error
    failed(error)
    throw new HttpRefusal(500)
  }
}

/** Sends the refusal; ends the connection of a response that has begun. */
function refuse(response: ServerResponse, { status, message, headers }: HttpRefusal) {
  if (response.headersSent) return void response.destroy()
  // What the handler set was for another response.
  for (const name of response.getHeaderNames()) response.removeHeader(name)
  for (const [name, value] of Object.entries({ ...SECURITY_HEADERS, ...headers })) response.setHeader(name, value)
  sendText(response, status, message)
}

function sendText(response: ServerResponse, status: number, text: string) {
  const body = Buffer.from(`${text}\n`)
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length }).end(body)
}

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { Webhook } from 'standardwebhooks'

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** `data` of its JSON. */
  readonly data: { readonly id: number; readonly from: string; readonly text: string; readonly group: string }
  readonly type: string
}

type Respond = (received: Received, response: ServerResponse) => unknown

/** A receiver of webhooks on loopback. It is closed when the test ends. */
export interface Receiver {
  readonly url: string
  readonly port: number
  /** All requests, in the order of their arrival, also those that were not answered. */
  readonly received: Received[]
  /** Answers; 204 by default. */
  respond: Respond
  /** Cuts connections without an answer. */
  isDown: boolean
  /** Resolves when that many requests have arrived. */
  arrived(count: number): Promise<void>
  /** Ids of the messages, in the order of arrival. */
  ids(): number[]
}

export async function startReceiver(t: ExecutionContext): Promise<Receiver> {
  let wake = () => {}
  const server = createServer((request, response) => {
    if (receiver.isDown) return void request.socket.destroy()
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const received = { headers: request.headers, body, ...JSON.parse(body) } as Received
      receiver.received.push(received)
      receiver.respond(received, response)
      wake()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received: [],
    respond: (_received, response) => response.writeHead(204).end(),
    isDown: false,
    async arrived(count) {
      while (receiver.received.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
    ids: () => receiver.received.map(({ data }) => data.id),
  }
  return receiver
}

/** Verifies a request as its receiver does, whose clock is that of the server. @throws Error */
export function verify(secret: string, { headers, body }: Received, now: number): unknown {
  const { now: system } = Date
  Date.now = () => now
  try {
    return new Webhook(secret).verify(body, headers as Record<string, string>)
  } finally {
    Date.now = system
  }
}

/** Answers with a status. */
export const status =
  (code: number): Respond =>
  (_received, response) =>
    response.writeHead(code).end()

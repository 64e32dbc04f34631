import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Clock } from '../../core/index.ts'
import type { AddressPolicy } from './addresses.ts'

/** Longest answer that is read. */
const MAX_ANSWER = 64 * 1024

export interface Answer {
  readonly status: number
  readonly type: string
  /** Undefined if it was longer than 64 KiB. */
  readonly body: string | undefined
}

export interface PostParts {
  readonly clock: Clock
  readonly addresses: AddressPolicy
  readonly timeoutMs: number
  /** Ends the requests. */
  readonly signal: AbortSignal
}

/**
 * Posts a text, on a connection of its own. Redirects are not followed: they would lead past the check of the address.
 * @throws AddressRefused, and Error if there is no answer in time
 */
export async function post(
  { clock, addresses, timeoutMs, signal }: PostParts,
  { url: text, headers, body }: { readonly url: string; readonly headers: OutgoingHttpHeaders; readonly body: string },
): Promise<Answer> {
  const url = addresses.checkUrl(text)
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const length = Buffer.byteLength(body)
  const request = send(url, {
    method: 'POST',
    agent: false,
    signal,
    lookup: addresses.lookup,
    headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': length, 'User-Agent': 'chatctl' },
  })
  const deadline = clock.after(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
  try {
    return await answerTo(request, body)
  } finally {
    deadline.cancel()
    request.destroy()
  }
}

function answerTo(request: ClientRequest, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response) => {
      read(response).then(
        (text) =>
          resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body: text }),
        reject,
      )
    })
    request.end(body)
  })
}

async function read(response: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += chunk.length
    if (size > MAX_ANSWER) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { networkOf } from '../session/address.ts'
import { HttpRefusal } from './refusal.ts'

/** A request of a route. */
export class HttpRequest {
  /** As Node has it, for a handler that reads the body as a stream. */
  readonly raw: IncomingMessage
  /** The peer's, from `X-Forwarded-For` behind a trusted proxy. */
  readonly address: string
  /** Key of limits by address, as of a session. */
  readonly network: string
  /** As it came, without the query: neither decoded nor normalized. Begins with a slash. */
  readonly path: string
  readonly query: URLSearchParams
  /** Aborted when the connection has closed, or the response is complete. */
  readonly signal: AbortSignal
  readonly #maxBody: number

  constructor(raw: IncomingMessage, facts: { address: string; maxBody: number; signal: AbortSignal }) {
    this.raw = raw
    this.address = facts.address
    this.network = networkOf(facts.address)
    this.signal = facts.signal
    this.#maxBody = facts.maxBody
    const { path, query } = splitTarget(raw)
    this.path = path
    this.query = new URLSearchParams(query)
  }

  get method(): string {
    return this.raw.method ?? 'GET'
  }

  get headers(): IncomingHttpHeaders {
    return this.raw.headers
  }

  /** The whole body. @throws HttpRefusal 413 if it is longer than the route allows */
  async body(): Promise<Buffer> {
    const tooLong = () => new HttpRefusal(413, `the body has more than ${this.#maxBody} bytes`, { Connection: 'close' })
    if (Number(this.headers['content-length'] ?? 0) > this.#maxBody) throw tooLong()
    const chunks: Buffer[] = []
    let size = 0
    // Not iterated: leaving the loop would destroy the connection that carries the refusal.
    await new Promise<void>((resolve, reject) => {
      this.raw.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= this.#maxBody) return void chunks.push(chunk)
        this.raw.pause()
        reject(tooLong())
      })
      this.raw.once('end', resolve)
      this.raw.once('error', reject)
      this.raw.once('close', () => reject(new HttpRefusal(400, 'the request was cut off')))
    })
    return Buffer.concat(chunks, size)
  }
}

/** Path and query of a request; the path is empty where the target is none that a server of its own has. */
export function splitTarget({ url = '' }: IncomingMessage): { readonly path: string; readonly query: string } {
  if (!url.startsWith('/')) return { path: '', query: '' }
  const mark = url.indexOf('?')
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark + 1) }
}

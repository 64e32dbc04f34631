import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type App, type ClientMessage, HttpRefusal, type HttpRequest, Refused } from '../../core/index.ts'
import type { Values } from './bodies.ts'
import { type Calls, idempotencyKey } from './calls.ts'
import { toJson } from './json.ts'
import type { Exchange, Operation } from './operation.ts'
import { sendJson } from './problems.ts'

const MESSAGES = ['query_file', 'read_file', 'begin_upload', 'upload_chunk', 'finish_upload'] as const
type FileMessages = Readonly<Record<(typeof MESSAGES)[number], ClientMessage>>

/** Contents of files as bodies; none on a server without files. */
export function fileOperations(app: App, calls: Calls): Operation[] {
  const known = MESSAGES.map((name) => [name, app.catalogue.byName(name)] as const)
  if (known.some(([, message]) => message?.from !== 'client')) return []
  const messages = Object.fromEntries(known) as FileMessages
  return [
    { method: 'GET', path: '/files/:file', scope: 'read', run: (exchange) => download(calls, messages, exchange) },
    { method: 'PUT', path: '/files/:file', scope: 'send', run: (exchange) => upload(calls, messages, exchange) },
  ]
}

const isPreview = ({ query }: HttpRequest) => query.get('variant') === 'preview'

async function download(calls: Calls, messages: FileMessages, exchange: Exchange) {
  const { request, response, access, parameters } = exchange
  const [id = ''] = parameters
  if (!/^[1-9]\d{0,15}$/.test(id)) throw new Refused('invalid_value', 'name the id of a file')
  const file = Number(id)
  const info = await calls.perform(access, request.address, messages.query_file, { file })
  const read = (offset: number) => {
    const variant = isPreview(request) ? 'preview' : 'original'
    return calls.perform(access, request.address, messages.read_file, { file, offset, length: 0, variant })
  }
  // Before the head: it may be refused.
  let part = (await read(0)) as { size: number; data: Buffer }
  response.writeHead(200, {
    'Content-Type': isPreview(request) ? 'application/octet-stream' : String(info.type),
    'Content-Length': part.size,
    'Content-Disposition': `attachment; filename*=UTF-8''${encodeURIComponent(String(info.name))}`,
  })
  if (request.method === 'HEAD') return void response.end()
  try {
    for (let offset = 0; part.data.length > 0; part = (await read(offset)) as typeof part) {
      offset += part.data.length
      if (!response.write(part.data)) await once(response, 'drain', { signal: request.signal })
      if (offset >= part.size) break
    }
    response.end()
  } catch (error) {
    // The reader has gone, or may not read it any more: the length tells that it is not whole.
    response.destroy()
    if (!(error instanceof Refused) && (error as Error).name !== 'AbortError') throw error
  }
}

async function upload(calls: Calls, messages: FileMessages, { request, response, access, parameters }: Exchange) {
  const size = Number(request.headers['content-length'] ?? 0)
  if (size === 0) throw new HttpRefusal(411, 'an upload has a Content-Length, and at least one byte', CLOSE)
  const perform = (message: ClientMessage, values: Values) => calls.perform(access, request.address, message, values)
  const clientId = idempotencyKey(request) ?? randomUUID()
  // What was not read of the body would be taken for the next request.
  response.setHeader('Connection', 'close')
  const begun = await perform(messages.begin_upload, { name: parameters[0], size, clientId })
  const hash = createHash('sha256')
  let [offset, at] = [Number(begun.offset), 0]
  for await (const piece of request.raw.iterator({ destroyOnReturn: false })) {
    const bytes = piece as Buffer
    hash.update(bytes)
    // An upload that was cut off goes on: the client sends all of it again.
    for (let from = Math.max(0, offset - at); from < bytes.length; ) {
      const data = bytes.subarray(from, from + Number(begun.chunk))
      const stored = await perform(messages.upload_chunk, { upload: begun.upload, offset, data })
      if (stored.offset !== offset + data.length)
        throw new Refused('unavailable', 'another request uploads the same file', { retryAfter: 1000 })
      offset += data.length
      from += data.length
    }
    at += bytes.length
  }
  const info = await perform(messages.finish_upload, { upload: begun.upload, sha256: hash.digest() })
  sendJson(response, 201, toJson(messages.finish_upload.reply ?? { fields: {} }, info))
}

const CLOSE = { Connection: 'close' }

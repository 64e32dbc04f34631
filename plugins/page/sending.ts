import type { ServerResponse } from 'node:http'
import { HttpRefusal, type HttpRequest } from '../../core/index.ts'
import type { Encoding, Representation, StaticFile, StaticFiles } from './files.ts'

/** The page runs its own scripts only, and makes no HTML of text (`require-trusted-types-for`). */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types chatctl',
].join('; ')

const A_YEAR = 'public, max-age=31536000, immutable'

/** Preferred first. */
const ENCODINGS: readonly Encoding[] = ['br', 'gzip', 'identity']

/** Answers a request with a file. @throws HttpRefusal 404, and 406 for a client that takes none of its encodings */
export function sendFile(files: StaticFiles, request: HttpRequest, response: ServerResponse) {
  const file = files.get(request.path)
  if (file === undefined) throw new HttpRefusal(404)
  const [encoding, { body, etag }] = choose(file, String(request.headers['accept-encoding'] ?? ''))
  response.setHeader('Content-Security-Policy', CONTENT_SECURITY_POLICY)
  response.setHeader('Cache-Control', file.isImmutable ? A_YEAR : 'no-cache')
  response.setHeader('ETag', etag)
  response.setHeader('Vary', 'Accept-Encoding')
  if (isKnown(request.headers['if-none-match'], etag)) return void response.writeHead(304).end()
  response.setHeader('Content-Type', file.type)
  response.setHeader('Content-Length', body.length)
  if (encoding !== 'identity') response.setHeader('Content-Encoding', encoding)
  response.writeHead(200).end(request.method === 'HEAD' ? undefined : body)
}

function choose({ encodings }: StaticFile, accepted: string): readonly [Encoding, Representation] {
  for (const encoding of ENCODINGS) {
    const found = encodings.get(encoding)
    if (found !== undefined && accepts(accepted, encoding)) return [encoding, found]
  }
  throw new HttpRefusal(406, 'none of the encodings of this file is accepted')
}

/** Whether a list such as `gzip, br;q=0.5, *;q=0` takes an encoding (RFC 9110, 12.5.3). */
function accepts(list: string, encoding: Encoding): boolean {
  const weights = new Map(
    list.split(',').map((entry) => {
      const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase())
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      return [name, Number(weight ?? 1)] as const
    }),
  )
  const weight = weights.get(encoding) ?? weights.get('*') ?? (encoding === 'identity' ? 1 : 0)
  return weight > 0
}

/** Whether `If-None-Match` names the representation; a proxy may have made the tag weak. */
const isKnown = (list = '', etag: string): boolean =>
  list.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()))

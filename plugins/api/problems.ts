import type { ServerResponse } from 'node:http'
import { STATUS_CODES } from 'node:http'
import { HttpRefusal, Refused } from '../../core/index.ts'
import { isUnavailable } from '../../db/index.ts'

/** Status of failures; of those that are not named the pattern decides, otherwise 409. */
const STATUS: Readonly<Record<string, number>> = {
  invalid_value: 400,
  protocol_error: 400,
  bad_token: 401,
  out_of_scope: 403,
  not_allowed: 403,
  not_member: 403,
  not_friends: 403,
  blocked: 403,
  role_too_low: 403,
  account_disabled: 403,
  login_failed: 403,
  unknown_type: 404,
  too_large: 413,
  file_too_large: 413,
  client_id_reused: 422,
  key_reused: 422,
  rate_limited: 429,
  too_many_attempts: 429,
  too_many_sessions: 429,
  internal: 500,
  no_space: 507,
  unavailable: 503,
  store_unavailable: 503,
  file_held: 503,
  shutting_down: 503,
  logged_out: 503,
}

const statusOf = (name: string): number => STATUS[name] ?? (/^no_(?!space$)|_not_exist$/.test(name) ? 404 : 409)

/** A failure as RFC 9457 has it; `name` is that of the protocol. */
interface Problem {
  readonly status: number
  readonly name: string
  readonly detail: string
  /** Milliseconds; 0 if waiting does not help. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
}

function problemOf(error: unknown): Problem | undefined {
  if (error instanceof HttpRefusal) {
    const name = (STATUS_CODES[error.status] ?? 'refused').toLowerCase().replace(/\W+/g, '_')
    return { status: error.status, name, detail: error.message, headers: error.headers }
  }
  if (error instanceof Refused) {
    const { code: name, message: detail, retryAfter } = error
    const status = statusOf(name)
    return { status, name, detail, retryAfter, ...(status === 401 && { headers: { 'WWW-Authenticate': 'Bearer' } }) }
  }
  return isUnavailable(error) ? problemOf(new Refused('unavailable', undefined, { retryAfter: 1000 })) : undefined
}

/** Answers a request that was refused. @throws the error if it is a fault of this server */
export function sendProblem(response: ServerResponse, error: unknown) {
  const problem = problemOf(error)
  if (problem === undefined || response.headersSent) throw error
  const { status, name, detail, retryAfter = 0, headers = {} } = problem
  for (const [header, value] of Object.entries(headers)) response.setHeader(header, value)
  if (retryAfter > 0) response.setHeader('Retry-After', Math.ceil(retryAfter / 1000))
  const title = STATUS_CODES[status] ?? 'Refused'
  const body = {
    type: `urn:chatctl:failure:${name}`,
    title,
    status,
    detail,
    name,
    ...(retryAfter > 0 && { retryAfter }),
  }
  sendJson(response, status, body, 'application/problem+json')
}

export function sendJson(response: ServerResponse, status: number, value: object, type = 'application/json') {
  const body = `${JSON.stringify(value)}\n`
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body)
}

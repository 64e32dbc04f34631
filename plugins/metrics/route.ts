import type { IncomingHttpHeaders } from 'node:http'
import { type App, HttpRefusal, Refused } from '../../core/index.ts'
import { isUnavailable } from '../../db/index.ts'
import { bearerOf, type Tokens } from '../tokens/index.ts'
import type { Exposition } from './exposition.ts'

const SECONDS = 1000

/**
 * Serves `/metrics` on the HTTP listener, to tokens of admins with the scope `read`: what `query_metrics` tells admins.
 */
export function serveMetrics(app: App, tokens: Tokens, read: () => Promise<Exposition>) {
  /** @throws HttpRefusal */
  const check = async (headers: IncomingHttpHeaders, network: string) => {
    const { user, token } = await tokens.authenticate(bearerOf(headers), network)
    if (user.role !== 'admin' || !token.scopes.has('read') || token.targets !== undefined)
      throw new HttpRefusal(403, 'metrics are for tokens of admins with the scope read, and without --to')
  }

  app.http.route({
    prefix: '/metrics',
    async handle({ headers, network, path }, response) {
      if (path !== '/metrics') throw new HttpRefusal(404)
      try {
        await check(headers, network)
      } catch (error) {
        if (isUnavailable(error)) throw new HttpRefusal(503, 'the database does not answer')
        throw error instanceof Refused ? refusalOf(error) : error
      }
      const { type, text } = await read()
      response.setHeader('Content-Type', type)
      response.end(text)
    },
  })
}

function refusalOf({ code, message, retryAfter }: Refused): HttpRefusal {
  if (code === 'rate_limited')
    return new HttpRefusal(429, message, { 'Retry-After': String(Math.ceil(retryAfter / SECONDS)) })
  return new HttpRefusal(401, message, { 'WWW-Authenticate': 'Bearer' })
}

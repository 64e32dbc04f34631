import type { ServerResponse } from 'node:http'
import { API_VERSION, definePlugin, HttpRefusal, type HttpRequest, Refused } from '../../core/index.ts'
import { consumers } from '../consumers/index.ts'
import { contacts } from '../contacts/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { type Access, bearerOf, tokens } from '../tokens/index.ts'
import { Endpoints, MAX_BODY_BYTES } from './endpoints.ts'
import type { McpParts } from './mcp-server.ts'
import { ReportAgentCall } from './messages.ts'

/** Tools for language models over HTTP, with a token: the Model Context Protocol. */
export const mcp = definePlugin({
  name: 'mcp',
  needs: { tokens, messages: privateMessages, groups, contacts, consumers },
  messages: { ReportAgentCall },
  setup(app, { needs: { tokens }, log }) {
    // What a program of the user's says: it could say nothing, or something else.
    app.handle(ReportAgentCall, ({ user }, { to, ...call }) => {
      app.audit.info({ event: 'agent_call', user: user.name, ...call, ...(to !== '' && { to }), reported: true })
    })
    const record: McpParts['record'] = (call, fault) => {
      app.audit.info({ event: 'agent_call', ...call })
      if (fault !== undefined) log.error({ err: fault, ...call }, 'a tool failed')
    }
    const endpoints = new Endpoints(app, { version: API_VERSION, record })

    const accessOf = async (request: HttpRequest): Promise<Access> => {
      try {
        return await tokens.authenticate(bearerOf(request.headers), request.network)
      } catch (error) {
        throw error instanceof Refused ? httpRefusal(error) : error
      }
    }

    app.http.route({
      prefix: '/mcp',
      methods: ['GET', 'POST', 'DELETE'],
      maxBody: MAX_BODY_BYTES,
      async handle(request, response) {
        checkOrigin(request)
        const access = await accessOf(request)
        const endpoint = await endpoints.of(access, request.address).catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
          log.error(
            { err: error },
            'agents need the packages @modelcontextprotocol/server and @modelcontextprotocol/node',
          )
          throw new HttpRefusal(501, 'the server lacks the packages for agents; its log names them')
        })
        await untilRevoked(access, response, () => endpoint.handle(request.raw, response))
      },
    })
  },
})

/** Agents are no pages: a page of another site has no business here, even with a token. @throws HttpRefusal 403 */
function checkOrigin({ headers: { origin, host } }: HttpRequest) {
  if (origin === undefined) return
  if (!URL.canParse(origin) || new URL(origin).host !== host) throw new HttpRefusal(403, 'this origin is not allowed')
}

function httpRefusal({ code, message, retryAfter }: Refused): HttpRefusal {
  if (code === 'rate_limited')
    return new HttpRefusal(429, message, { 'Retry-After': `${Math.ceil(retryAfter / 1000)}` })
  return new HttpRefusal(401, message, { 'WWW-Authenticate': 'Bearer' })
}

/** Ends the response when the token does, and with it the call. */
async function untilRevoked({ token }: Access, response: ServerResponse, handle: () => Promise<void>) {
  const end = () => response.destroy()
  token.revoked.addEventListener('abort', end, { once: true })
  try {
    await handle()
  } finally {
    token.revoked.removeEventListener('abort', end)
  }
}

import type { ServerResponse } from 'node:http'
import { definePlugin, type HttpRequest } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { consumers } from '../consumers/index.ts'
import { groups } from '../groups/index.ts'
import { idempotency } from '../idempotency/index.ts'
import { login } from '../login/index.ts'
import { privateMessages } from '../messages/index.ts'
import { bearerOf, tokens } from '../tokens/index.ts'
import { callingOperation } from './calling.ts'
import { Calls } from './calls.ts'
import { fileOperations } from './files.ts'
import { openApi } from './openapi.ts'
import { sendProblem } from './problems.ts'
import { readingOperations } from './reading.ts'
import { allowed, operationFor, Router } from './router.ts'
import { requireScope } from './scopes.ts'
import { sendingOperations } from './sending.ts'
import { streamingOperations } from './streaming.ts'
import { waitingOperation } from './waiting.ts'

const PREFIX = '/v1'

/** For everybody, as the catalogue is for native clients before the login. */
const DOCUMENT_PATH = `${PREFIX}/openapi.json`
const isRead = ({ method }: HttpRequest) => method === 'GET' || method === 'HEAD'

/** Longest body: as much as one message. */
const MAX_BODY_BYTES = 256 * 1024

/** The HTTP API: requests of the catalogue with a token, as JSON. */
export const api = definePlugin({
  name: 'api',
  needs: { accounts, login, tokens, messages: privateMessages, groups, consumers, idempotency },
  setup(app, { needs, log }) {
    const { tokens } = needs
    const calls = new Calls(app)
    const streams = { ...needs, app, conversations: needs.messages }
    const failed = (error: unknown) => log.warn({ err: error }, 'cannot acknowledge events')
    const router = new Router([
      ...sendingOperations(calls),
      ...readingOperations(app, calls),
      callingOperation(app, calls),
      ...fileOperations(app, calls),
      ...streamingOperations(streams, failed),
      waitingOperation(streams, failed),
    ])

    let document: string | undefined

    const perform = async (request: HttpRequest, response: ServerResponse) => {
      if (request.path === DOCUMENT_PATH && isRead(request)) {
        document ??= JSON.stringify(openApi(app.catalogue))
        return void response.setHeader('Content-Type', 'application/json').end(document)
      }
      const match = router.match(request.path.slice(PREFIX.length))
      if (request.method === 'OPTIONS')
        return void response.writeHead(204, { Allow: allowed(match.path.byMethod) }).end()
      const operation = operationFor(match, request.method)
      const access = await tokens.authenticate(bearerOf(request.headers), request.network)
      if (operation.scope !== undefined) requireScope(access.token.scopes, operation.scope)
      await operation.run({ request, response, access, parameters: match.parameters })
    }

    app.http.route({
      prefix: PREFIX,
      methods: ['GET', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
      maxBody: MAX_BODY_BYTES,
      async handle(request, response) {
        try {
          await perform(request, response)
        } catch (error) {
          sendProblem(response, error)
        }
      },
    })
  },
})

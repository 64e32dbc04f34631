import type { IncomingMessage, ServerResponse } from 'node:http'
import { type App, lruCache } from '../../core/index.ts'
import type { Access } from '../tokens/index.ts'
import { Agent } from './agent.ts'
import { loadMcp, type McpParts } from './mcp-server.ts'
import type { Rights } from './rights.ts'
import { News, ServerCaller } from './server-caller.ts'

/** Tokens whose agents are in memory; an evicted one comes back with what the server keeps of it. */
const AGENTS = 1000
/** A silent connection is closed after `limits.httpIdle`. */
const KEEP_ALIVE_MS = 10_000
/** Longest body of a request, as of the other routes. */
export const MAX_BODY_BYTES = 256 * 1024

/** One token's agent, and the handler of its requests. */
interface Endpoint {
  readonly caller: ServerCaller
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
}

/** The agents of tokens. Each has its own place, rate and rights, whatever number of connections it uses. */
export class Endpoints {
  readonly #app: App
  readonly #parts: McpParts
  readonly #news: News
  readonly #endpoints = lruCache<number, Promise<Endpoint>>(AGENTS)

  constructor(app: App, parts: McpParts) {
    this.#app = app
    this.#parts = parts
    this.#news = new News(app)
  }

  /** The endpoint of a token, for one request from an address. @throws the error of a library that is not installed */
  async of({ user, token }: Access, address: string): Promise<Endpoint> {
    const session = this.#app.remote(user, address)
    const known = this.#endpoints.get(token.id)
    const endpoint = known ?? this.#open(token, new ServerCaller(this.#app.clock, this.#news, session))
    if (known === undefined) {
      this.#endpoints.set(token.id, endpoint)
      endpoint.catch(() => this.#endpoints.delete(token.id))
    }
    const opened = await endpoint
    opened.caller.session = session
    return opened
  }

  async #open(token: Access['token'], caller: ServerCaller): Promise<Endpoint> {
    const makeServer = await loadMcp()
    const { createMcpHandler } = await import('@modelcontextprotocol/server')
    const { toNodeHandler } = await import('@modelcontextprotocol/node')
    const rights: Rights = {
      send: token.scopes.has('send'),
      read: token.scopes.has('read'),
      names: token.targets,
      mayReach: (target) => token.mayReach(target),
    }
    const agent = new Agent(`token ${token.id}`, caller, rights)
    const handler = createMcpHandler(() => makeServer(agent, this.#parts), {
      // Always a stream, which is kept alive: a wait may be longer than a silent connection may last.
      responseMode: 'sse',
      keepAliveMs: KEEP_ALIVE_MS,
      maxRequestBodySize: MAX_BODY_BYTES,
    })
    const handle = toNodeHandler(handler, { maxRequestBodySize: MAX_BODY_BYTES })
    return {
      caller,
      handle: (request, response) => handle(...([request, response] as unknown as Parameters<typeof handle>)),
    }
  }
}

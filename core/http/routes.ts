import type { ServerResponse } from 'node:http'
import { SetupError } from '../errors.ts'
import type { HttpRequest } from './request.ts'

/** Paths that the listener answers itself. */
export const CHAT_PATH = '/chat'
export const HEALTH_PATH = '/healthz'
export const READY_PATH = '/readyz'
const OWN_PATHS = [CHAT_PATH, HEALTH_PATH, READY_PATH]

/** Requests that a plugin answers. */
export interface HttpRoute {
  /** `/v1` is for `/v1` and everything below it. The longest prefix that fits a path has the request. */
  readonly prefix: string
  /** Any other one is answered with 405. `HEAD` is part of `GET`. Default `GET`. */
  readonly methods?: readonly string[]
  /** Longest body, in bytes; `limits.httpBody` if left out. */
  readonly maxBody?: number
  /**
   * Answers a request, and ends the response, now or later. A server that stops waits for the returned promise, not
   * for the end of the response.
   * @throws HttpRefusal for its status and text; anything else is a failure of the plugin, answered with 500
   */
  handle(request: HttpRequest, response: ServerResponse): unknown
}

/** A route with what its plugin is told about its failures. */
export interface OwnedRoute {
  readonly route: HttpRoute
  readonly failed: (error: unknown) => void
}

/** What plugins answer over HTTP. */
export class Routes {
  readonly #byPrefix = new Map<string, OwnedRoute>()

  /** Returns a function that removes the route. @throws SetupError */
  add(route: HttpRoute, failed: (error: unknown) => void): () => void {
    const { prefix } = route
    if (!/^(\/[\w.~-]+)+$|^\/$/.test(prefix))
      throw new SetupError(`the prefix of a route is such as "/v1" or "/", not ${JSON.stringify(prefix)}`)
    if (this.#byPrefix.has(prefix) || OWN_PATHS.includes(prefix))
      throw new SetupError(`the HTTP prefix ${prefix} is taken already`)
    this.#byPrefix.set(prefix, { route, failed })
    return () => this.#byPrefix.delete(prefix)
  }

  /** The route of a path, which begins with a slash. */
  of(path: string): OwnedRoute | undefined {
    for (let prefix = path; prefix !== ''; prefix = prefix.slice(0, prefix.lastIndexOf('/'))) {
      const found = this.#byPrefix.get(prefix)
      if (found !== undefined) return found
    }
    return this.#byPrefix.get('/')
  }
}

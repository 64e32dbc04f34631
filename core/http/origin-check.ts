import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { SetupError } from '../errors.ts'

/** Names that the public DNS resolves for nobody: one label, and reserved domains (RFC 6761). */
const LOCAL_NAME = /^[^.]+$|\.(localhost|test)$/

/** A host of a URL, with or without port. */
const HOST = /^[\w.-]+(:\d+)?$|^\[[\da-fA-F:.]+\](:\d+)?$/

/**
 * Which pages may connect. A browser sends the origin of the page, which no page can change; so pages of other sites
 * cannot use up the connections of their visitors' addresses, nor reach a server that is only open to this machine.
 */
export class OriginCheck {
  readonly #origins: ReadonlySet<string>

  /** @param origins of pages that may connect; if empty, those whose host is the one that the request names @throws SetupError */
  constructor(origins: readonly string[]) {
    for (const origin of origins)
      if (parse(origin)?.origin !== origin)
        throw new SetupError(`"${origin}" is no origin of a page, such as https://chat.example.org`, {
          isSetting: true,
        })
    this.#origins = new Set(origins)
  }

  /** @param isLocal true for a peer on this machine that came through no trusted proxy */
  allows(headers: IncomingHttpHeaders, isLocal: boolean): boolean {
    const { origin, host = '' } = headers
    if (origin === undefined) return !isBrowser(headers)
    const page = parse(origin)
    if (page === undefined || page.origin !== origin) return false
    if (this.#origins.size > 0) return this.#origins.has(origin)
    // Parsed with the scheme of the page: its default port may be left out on one side.
    const own = HOST.test(host) ? parse(`${page.protocol}//${host}`) : undefined
    return own?.host === page.host && !(isLocal && mayBeRebound(own.hostname))
  }
}

function parse(url: string): URL | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed?.protocol === 'http:' || parsed?.protocol === 'https:' ? parsed : undefined
}

/** DNS rebinding: a foreign site lets its own name resolve to this machine, so that origin and host agree. */
function mayBeRebound(hostname: string): boolean {
  return isIP(hostname.replace(/^\[|\]$/g, '')) === 0 && !LOCAL_NAME.test(hostname)
}

/** Programs that are no browsers send no origin; a browser that sends none hides its page. */
function isBrowser(headers: IncomingHttpHeaders): boolean {
  return (
    headers['sec-fetch-mode'] !== undefined ||
    headers['sec-fetch-site'] !== undefined ||
    headers['user-agent']?.startsWith('Mozilla/') === true
  )
}

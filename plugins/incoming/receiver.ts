import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Knex } from 'knex'
import type { Logger } from 'pino'
import { type App, HttpRefusal, type HttpRequest, lruCache, Refused } from '../../core/index.ts'
import { findIncomingHook, type IncomingHookRow, useIncomingHook } from '../../db/index.ts'
import type { Accounts } from '../accounts/index.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import { FAILURES } from '../messages/failures.ts'
import { SendMessage } from '../messages/messages.ts'
import type { Tokens } from '../tokens/index.ts'
import { hashOf, isToken } from '../tokens/secret.ts'
import { type Answer, formatFor, isFormat } from './formats/index.ts'
import { cut, withoutMentions } from './formats/lines.ts'
import { payloadOf } from './payload.ts'
import { isSigned, signingKey } from './signature.ts'

/** Longest message; the rest of a long one is for a page of its sender. */
const MAX_TEXT_BYTES = 8192
const CACHED_HOOKS = 10_000
const USED_MS = 60_000

export interface ReceiverParts {
  readonly app: App
  readonly db: Knex
  readonly log: Logger
  readonly accounts: Accounts
  readonly tokens: Pick<Tokens, 'failures'>
  readonly conversations: { readonly maxText: number }
}

/** Turns requests of other programs into messages. */
export class Receiver {
  readonly #parts: ReceiverParts
  /** Hashes of hooks that were found before: their requests do not wait for those with wrong tokens. */
  readonly #known = lruCache<string, true>(CACHED_HOOKS)

  constructor(parts: ReceiverParts) {
    this.#parts = parts
  }

  /** @param path token, and perhaps the name of a format @throws HttpRefusal, Refused */
  async receive(request: HttpRequest, response: ServerResponse, path: readonly string[]) {
    const hook = await this.#hookOf(request, path)
    if (request.method !== 'POST') return sendJson(response, { id: String(hook.id), type: 1, name: hook.name })
    const body = await request.body()
    this.#checkSignature(hook, request, body)
    const payload = payloadOf(request, body)
    const [, named = ''] = path
    const format = formatFor(named === '' ? hook.format : named, payload)
    const content = format?.render(payload)
    if (format === undefined || content === '') throw new HttpRefusal(400, 'no_text')
    const id = content === undefined ? 0 : await this.#post(hook, request, content)
    send(response, format.answer(id, request.query))
  }

  /** @throws HttpRefusal 404, the same for a hook that never was and one that was revoked */
  async #hookOf(
    { network }: HttpRequest,
    [token = '', named = '', ...more]: readonly string[],
  ): Promise<IncomingHookRow> {
    const { db, tokens, log, app } = this.#parts
    const isValid = isToken(token) && more.length === 0 && (named === '' || isFormat(named))
    const hash = hashOf(token)
    const find = async () => (isValid ? findIncomingHook(db, hash) : undefined)
    const hook = await (this.#known.has(hash) ? find() : tokens.failures.lookUp(network, find))
    if (hook === undefined) throw new HttpRefusal(404, 'no_service')
    this.#known.set(hash, true)
    const now = app.clock.time()
    if (now - hook.used_at >= USED_MS)
      useIncomingHook(db, hook.id, now).catch((error: unknown) =>
        log.warn({ err: error }, 'cannot store the use of a hook'),
      )
    return hook
  }

  /** @throws HttpRefusal 401 */
  #checkSignature(hook: IncomingHookRow, request: HttpRequest, body: Buffer) {
    const signed = isSigned(request, body, signingKey(this.#parts.app.secret('incoming'), hook.token_hash))
    if (signed === true || (signed === undefined && hook.is_signed === 0)) return
    throw new HttpRefusal(401, 'the signature is missing or wrong; its key is the secret of the hook')
  }

  async #post(hook: IncomingHookRow, request: HttpRequest, content: string): Promise<number> {
    const { app, accounts, conversations } = this.#parts
    const owner = (await accounts.byIds([hook.user_id])).get(hook.user_id)
    if (!owner?.active) throw new HttpRefusal(404, 'no_service')
    const { id, name, nickname, role } = owner
    const session = app.remote({ id, name, nickname, role }, request.address)
    const text = cut(withoutMentions(content), Math.min(MAX_TEXT_BYTES, conversations.maxText))
    const message = { text, clientId: clientIdOf(hook, request) }
    try {
      const stored = hook.target.startsWith('@')
        ? await session.receive(ChatroomMessage, { ...message, group: hook.target.slice(1) })
        : await session.receive(SendMessage, { ...message, to: hook.target })
      return stored.id
    } catch (error) {
      // A repeat that its sender renders otherwise, such as a redelivery of GitHub.
      if (error instanceof Refused && error.code === FAILURES.client_id_reused.name) return 0
      throw error
    }
  }
}

/** Ids under which senders repeat a request after a lost answer. */
const DELIVERY_HEADERS = [
  'x-github-delivery',
  'x-gitea-delivery',
  'x-forgejo-delivery',
  'webhook-id',
  'idempotency-key',
]

function clientIdOf({ id }: IncomingHookRow, { headers }: HttpRequest): string {
  const delivery = DELIVERY_HEADERS.map((name) => headers[name]).find((value) => value !== undefined)
  if (delivery === undefined) return ''
  return `hook-${id}-${createHash('sha256').update(String(delivery)).digest('base64url')}`
}

const sendJson = (response: ServerResponse, value: object) =>
  send(response, { status: 200, type: 'application/json', body: JSON.stringify(value) })

function send(response: ServerResponse, { status, type, body }: Answer) {
  if (type === undefined || body === undefined) return void response.writeHead(status).end()
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }).end(body)
}

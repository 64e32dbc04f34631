import {
  type App,
  type ClientMessage,
  Done,
  decode,
  encode,
  type HttpRequest,
  MessageSplitter,
  Refused,
  type RemoteSession,
  WireError,
} from '../../core/index.ts'
import { Once } from '../idempotency/messages.ts'
import type { Access } from '../tokens/index.ts'
import type { Values } from './bodies.ts'
import { checkScope, scopeOf } from './scopes.ts'
import { checkTargets } from './targets.ts'

export interface Answered {
  readonly reply: Values
  /** True if the request had been carried out before, under the same key. */
  readonly isRepeat: boolean
}

/** Carries out requests of the catalogue as the user of a token, within its scopes and targets. */
export class Calls {
  readonly #app: App

  constructor(app: App) {
    this.#app = app
  }

  /** @throws Refused as for a native client, and `out_of_scope` */
  async perform(access: Access, address: string, message: ClientMessage, values: Values): Promise<Values> {
    const reply = await this.#session(access, address, message, values).receive(message, values as never)
    this.#audit(access, message)
    return (reply ?? {}) as Values
  }

  /** The same at most once per key. @throws Refused also `key_reused`, `outcome_unknown` */
  async performOnce(access: Access, address: string, message: ClientMessage, values: Values, key: string) {
    const session = this.#session(access, address, message, values)
    const { repeat, reply } = await session.receive(Once, { key, request: encodeRequest(message, values) })
    if (!repeat) this.#audit(access, message)
    return { reply: this.#decodeReply(message, reply), isRepeat: repeat }
  }

  #session({ user, token }: Access, address: string, message: ClientMessage, values: Values): RemoteSession {
    checkScope(token.scopes, message)
    checkTargets(token, message, values)
    return this.#app.remote(user, address)
  }

  #decodeReply(message: ClientMessage, reply: Uint8Array): Values {
    const { limits } = this.#app
    const [frame] = new MessageSplitter(limits).push(Buffer.from(reply))
    if (frame === undefined) throw new Error(`the stored reply to ${message.name} is not whole`)
    return decode(message.reply ?? Done, frame, limits.values).values as Values
  }

  /** What changes more than messages is recorded with the token that did it. */
  #audit({ user, token }: Access, message: ClientMessage) {
    if (scopeOf(message) !== 'manage') return
    this.#app.audit.info({
      event: message.name,
      by: user.name,
      isOperator: false,
      token: token.id,
      tokenName: token.name,
    })
  }
}

/** @throws Refused `invalid_value` */
function encodeRequest(message: ClientMessage, values: Values): Buffer {
  try {
    return encode(message, 0, values as never)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw new Refused('invalid_value', `${message.name}: ${error.message}`)
  }
}

/** Longest key, which for messages is their client id. */
const MAX_KEY_CHARACTERS = 64

/** The key of a request that may be sent again; undefined without one. @throws Refused `invalid_value` */
export function idempotencyKey({ headers }: HttpRequest): string | undefined {
  const header = headers['idempotency-key']
  if (header === undefined) return undefined
  // Some clients write it as a string of RFC 8941, in quotes.
  const key = String(header).replace(/^"(.*)"$/, '$1')
  if (/^[\x21-\x7e]+$/.test(key) && key.length <= MAX_KEY_CHARACTERS) return key
  throw new Refused(
    'invalid_value',
    `Idempotency-Key has 1 to ${MAX_KEY_CHARACTERS} printable characters without spaces`,
  )
}

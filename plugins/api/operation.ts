import type { ServerResponse } from 'node:http'
import type { HttpRequest } from '../../core/index.ts'
import type { Access, Scope } from '../tokens/index.ts'

/** One request with a valid token. */
export interface Exchange {
  readonly request: HttpRequest
  readonly response: ServerResponse
  readonly access: Access
  /** The values of `:name` in the path, in their order. */
  readonly parameters: readonly string[]
}

/** A path of the API with a method. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Below `/v1`; a segment that begins with a colon takes any text. */
  readonly path: string
  /** The scope without which it is refused; what else a message needs is checked with it. */
  readonly scope: Scope | undefined
  run(exchange: Exchange): Promise<void>
}

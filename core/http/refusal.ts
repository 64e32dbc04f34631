import { STATUS_CODES } from 'node:http'

/** The answer "no" to an HTTP request: thrown by a handler of a route, sent with its status and text. */
export class HttpRefusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  /** @param status from 400 to 599 */
  constructor(status: number, text?: string, headers: Readonly<Record<string, string>> = {}) {
    super(text ?? STATUS_CODES[status] ?? String(status))
    this.name = 'HttpRefusal'
    this.status = status
    this.headers = headers
  }
}

import { isUtf8 } from 'node:buffer'
import { HttpRefusal, type HttpRequest } from '../../core/index.ts'
import { isObject, type Payload } from './formats/format.ts'

/**
 * A request as an object: JSON, a form whose field `payload` is JSON, or text.
 * @throws HttpRefusal 400 `invalid_payload`, as Slack says it
 */
export function payloadOf({ headers }: HttpRequest, body: Buffer): Payload {
  if (!isUtf8(body)) throw invalid()
  const type = headers['content-type'] ?? ''
  const content = /^application\/x-www-form-urlencoded\b/i.test(type) ? formPayload(body.toString()) : body.toString()
  const isJson = /json\b/i.test(type) || content.trimStart().startsWith('{')
  return { headers, body: isJson ? jsonObject(content) : { text: content } }
}

/** The field `payload`; curl sends plain text with the type of a form. */
const formPayload = (form: string): string => new URLSearchParams(form).get('payload') ?? form

function jsonObject(json: string): Payload['body'] {
  try {
    const value: unknown = JSON.parse(json)
    if (isObject(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw invalid()
}

const invalid = () => new HttpRefusal(400, 'invalid_payload')

import { isUtf8 } from 'node:buffer'
import { type HttpRequest, Refused } from '../../core/index.ts'

export type Values = Record<string, unknown>

export const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The text of a body. @throws Refused `invalid_value` if it is not UTF-8; HttpRefusal 413 */
export async function textOf(request: HttpRequest): Promise<string> {
  const body = await request.body()
  if (!isUtf8(body)) throw new Refused('invalid_value', 'the body is not UTF-8')
  return body.toString()
}

/** The JSON object of a body, whatever type it says; an empty one has no members. @throws Refused as `textOf` */
export async function objectOf(request: HttpRequest): Promise<Values> {
  const text = await textOf(request)
  const value = text.trim() === '' ? {} : parse(text)
  if (isObject(value)) return value
  throw new Refused('invalid_value', 'the body is a JSON object')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new Refused('invalid_value', `the body is no JSON: ${error.message}`)
  }
}

export const isJson = ({ headers }: HttpRequest): boolean =>
  /^application\/([\w.-]+\+)?json\b/i.test(headers['content-type'] ?? '')

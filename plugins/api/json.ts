import { type AnyField, type Fields, type Message, Refused } from '../../core/index.ts'
import { isObject, type Values } from './bodies.ts'

const bytesIn = new WeakMap<Fields, boolean>()

/** Whether a value of these fields is bytes, which JSON has as base64. */
function hasBytes(fields: Fields): boolean {
  const known = bytesIn.get(fields)
  if (known !== undefined) return known
  const found = Object.values(fields).some((field) =>
    field.kind === 'list' ? hasBytes(field.fields) : field.kind === 'bytes',
  )
  bytesIn.set(fields, found)
  return found
}

/** The values of a message as JSON. */
export const toJson = ({ fields }: Pick<Message, 'fields'>, values: Values): Values =>
  hasBytes(fields) ? encoded(fields, values) : values

const encoded = (fields: Fields, values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const field = fields[name]
      if (field?.kind === 'list') return [name, (value as readonly Values[]).map((one) => encoded(field.fields, one))]
      return [name, value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value]
    }),
  )

/**
 * The values of a request. Their limits are checked where it is carried out.
 * @throws Refused `invalid_value` for an unknown or missing field, and where a list or bytes are none
 */
export function fromJson({ name, fields }: Pick<Message, 'name' | 'fields'>, json: Values): Values {
  return decoded(fields, json, name)
}

function decoded(fields: Fields, json: Values, where: string): Values {
  const unknown = Object.keys(json).find((name) => !Object.hasOwn(fields, name))
  if (unknown !== undefined) throw new Refused('invalid_value', `${where} has no field "${unknown}"`)
  const values: Values = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = json[name] ?? undefined
    const path = `${where}.${name}`
    if (value !== undefined) values[name] = decodedField(field, value, path)
    else if (field.kind === 'list') values[name] = []
    else if (field.default === undefined) throw new Refused('invalid_value', `${path} is missing`)
  }
  return values
}

function decodedField(field: AnyField, value: unknown, path: string): unknown {
  if (field.kind === 'list') {
    if (!Array.isArray(value) || !value.every(isObject))
      throw new Refused('invalid_value', `${path} is a list of objects`)
    return value.map((one, index) => decoded(field.fields, one, `${path}[${index}]`))
  }
  if (field.kind !== 'bytes') return value
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined
  if (bytes?.toString('base64') === value) return bytes
  throw new Refused('invalid_value', `${path} is text in base64`)
}

/** The values of a request whose fields are parameters of a query. @throws Refused as `fromJson` */
export function fromQuery(message: Pick<Message, 'name' | 'fields'>, query: URLSearchParams, given: Values): Values {
  const json: Values = { ...given }
  for (const [name, text] of query) {
    if (Object.hasOwn(json, name)) throw new Refused('invalid_value', `${message.name}.${name} was given twice`)
    json[name] = fromText(message.fields[name], text)
  }
  return fromJson(message, json)
}

/** Anything that is no number or truth stays text, which is refused as such. */
function fromText(field: AnyField | undefined, text: string): unknown {
  switch (field?.kind) {
    case undefined:
    case 'line':
    case 'text':
    case 'bytes':
    case 'oneOf':
      return text
    case 'bool':
      return text === 'true' ? true : text === 'false' ? false : text
    default:
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
  }
}

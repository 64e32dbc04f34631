import type { AnyField, Fields, Message } from '../../core/wire/index.ts'
import { CliError } from '../errors/exit.ts'

/**
 * Reads `name=value` words as the fields of a message. Numbers and true/false are written plainly, bytes as `hex:…` or
 * `base64:…`, a list (and anything else, if you like) as JSON after `name:=`.
 * @throws CliError `usage` naming the field
 */
export function readFields(message: Message, words: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const word of words) {
    const match = /^([A-Za-z_]\w*)(:?=)(.*)$/s.exec(word)
    if (match === null) throw new CliError('usage', `"${word}" is not FIELD=VALUE`, fieldsOf(message))
    const [, name = '', sign, value = ''] = match
    const field = message.fields[name]
    if (field === undefined) throw new CliError('usage', `${message.name} has no field "${name}"`, fieldsOf(message))
    values[name] = sign === ':=' ? fromJson(name, value, field) : fromText(name, value, field)
  }
  const missing = Object.entries(message.fields).find(
    ([name, field]) => !(name in values) && (field.kind === 'list' || field.default === undefined),
  )
  if (missing !== undefined) throw new CliError('usage', `${message.name} needs ${missing[0]}=…`, fieldsOf(message))
  return values
}

function fieldsOf(message: Message): string {
  const names = Object.entries(message.fields as Fields).map(([name, field]) => {
    const isOptional = field.kind !== 'list' && field.default !== undefined
    return isOptional ? `[${name}]` : name
  })
  return names.length === 0 ? `${message.name} has no fields` : `its fields: ${names.join(', ')}`
}

function fromText(name: string, text: string, field: AnyField): unknown {
  switch (field.kind) {
    case 'line':
    case 'text':
      return text
    case 'oneOf':
      if (field.values?.includes(text)) return text
      throw new CliError('usage', `${name} is one of ${field.values?.map((value) => value || '"" (empty)').join(', ')}`)
    case 'bytes':
      return readBytes(name, text)
    case 'bool':
      if (text === 'true' || text === 'false') return text === 'true'
      throw new CliError('usage', `${name} is true or false`)
    case 'list':
      throw new CliError('usage', `${name} is a list: give it as JSON, ${name}:='[…]'`)
    default:
      if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
      throw new CliError('usage', `${name} is a number`)
  }
}

function fromJson(name: string, json: string, field: AnyField): unknown {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new CliError('usage', `${name}: ${(error as Error).message}`)
  }
  return field.kind === 'bytes' && typeof value === 'string' ? readBytes(name, value) : value
}

function readBytes(name: string, text: string): Buffer {
  const [, encoding, digits = ''] = /^(hex|base64):(.*)$/.exec(text) ?? []
  if (encoding === 'hex' && /^([0-9a-fA-F]{2})*$/.test(digits)) return Buffer.from(digits, 'hex')
  if (encoding === 'base64' && /^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return Buffer.from(digits, 'base64')
  throw new CliError('usage', `${name} is bytes: hex:00ff or base64:AP8=`)
}

/** Bytes of a reply in the form that `readFields` takes. */
export const toJson = (value: unknown): unknown =>
  value instanceof Uint8Array ? `base64:${Buffer.from(value).toString('base64')}` : value

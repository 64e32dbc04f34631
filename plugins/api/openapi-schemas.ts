import type { AnyField, Field, Fields } from '../../core/index.ts'

type Schema = Readonly<Record<string, unknown>>

/** JSON Schema (2020-12) of the fields of a message. @param isInput whether fields with a default may be left out */
export function schemaOf(fields: Fields, isInput: boolean): Schema {
  const names = Object.entries(fields)
  const required = names.filter(([, field]) => !isInput || (field.kind !== 'list' && field.default === undefined))
  return {
    type: 'object',
    properties: Object.fromEntries(names.map(([name, field]) => [name, fieldSchema(field, isInput)])),
    ...(required.length > 0 && { required: required.map(([name]) => name) }),
    // Replies may get fields in later versions.
    ...(isInput && { additionalProperties: false }),
  }
}

export function fieldSchema(field: AnyField, isInput: boolean): Schema {
  if (field.kind === 'list')
    return { type: 'array', description: field.about, maxItems: field.max, items: schemaOf(field.fields, isInput) }
  return {
    ...scalarSchema(field),
    description: field.about,
    ...(isInput && field.default !== undefined && { default: field.default }),
  }
}

/** Limits of texts are in bytes of UTF-8, of which a character has at most four. */
function scalarSchema({ kind, min, max, values }: Field): Schema {
  switch (kind) {
    case 'bool':
      return { type: 'boolean' }
    case 'float64':
      return { type: 'number' }
    case 'oneOf':
      return { type: 'string', enum: values }
    case 'bytes':
      return { type: 'string', contentEncoding: 'base64', maxLength: Math.ceil(max / 3) * 4 }
    case 'line':
    case 'text':
      return { type: 'string', ...(min > 0 && { minLength: Math.ceil(min / 4) }), maxLength: max }
    default:
      return { type: 'integer', minimum: min, maximum: max }
  }
}

import { type AnyField, type Fields, LETTERS, type Message } from '../../core/wire/index.ts'
import { BUILT_IN_FAILURES } from '../../plugins/built-in-failures.ts'

/** The generated part of docs/PROTOCOL.md: nothing in it is written by hand, and a test compares. */

const row = (...cells: (string | number)[]) =>
  `| ${cells.map((cell) => String(cell).replace(/\|/g, '\\|')).join(' | ')} |`

const table = (head: string[], rows: (string | number)[][]) =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n')

function range(field: Exclude<AnyField, { kind: 'list' }>): string {
  if (field.kind === 'bool') return ''
  if (field.values !== undefined) return field.values.map((value) => value || '(empty)').join(', ')
  const unit = LETTERS[field.kind] === 's' ? ' bytes' : ''
  return field.min === field.max ? `${field.max}${unit}` : `${field.min}–${field.max}${unit}`
}

function fieldRows(fields: Fields, indent = ''): string[][] {
  return Object.entries(fields).flatMap(([name, field]) => {
    if (field.kind === 'list')
      return [
        [`${indent}${name}`, 'L, then groups', `0–${field.max} groups`, '', field.about],
        ...fieldRows(field.fields, `${indent}${name}[].`),
      ]
    const byDefault = field.default === undefined ? '' : JSON.stringify(field.default)
    const letter = LETTERS[field.kind] === 's' ? 'Ns' : LETTERS[field.kind]
    return [[`${indent}${name}`, `${letter} (${field.kind})`, range(field), byDefault, field.about]]
  })
}

/** One message type: purpose, allowed senders, reply, and the fields after `ref`. */
export function messageSection(message: Message): string {
  const facts =
    message.from === 'server'
      ? 'From the server.'
      : `From the client; allowed: ${message.allow}; answered by ${message.reply?.name ?? 'done'} or a failure.`
  const fields = fieldRows(message.fields)
  const values =
    fields.length === 0 ? 'No fields after `ref`.' : table(['field', 'letter', 'limits', 'default', 'meaning'], fields)
  return `### ${message.type} ${message.name}\n\n${message.about} ${facts}\n\n${values}`
}

export function protocolTables(messages: readonly Message[]): string {
  const inOrder = Object.values(BUILT_IN_FAILURES).sort((a, b) => a.code - b.code)
  const failures = inOrder.map(({ name, code, message, text }) => [code, name, `${message.type} ${message.name}`, text])
  return [
    ...messages.map(messageSection),
    `### Failures\n\n${table(['code', 'name', 'message type', 'meaning'], failures)}`,
  ].join('\n\n')
}

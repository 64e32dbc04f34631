import { type AnyField, FIRST_FOREIGN_TYPE, type Fields, MAX_TEXT, type Message } from '../../core/index.ts'

type Values = Readonly<Record<string, unknown>>

/** Messages with proofs, with keys and verifiers of logins, and those of their fields that may be shown. */
const OPEN_FIELDS: Readonly<Record<string, readonly string[]>> = {
  login: [],
  login_challenge: [],
  login_proof: [],
  login_successful: ['id', 'user', 'nickname', 'role'],
  change_password: [],
  new_salt: [],
  salt: [],
  register: ['user', 'nickname'],
  create_user: ['user', 'nickname', 'role'],
  set_user_password: ['user'],
  add_device: ['name'],
  login_device: ['user', 'device'],
  // They hold a whole message, which is shown by itself.
  once: ['key'],
  once_done: ['repeat'],
}

/** Names of fields that are secret in all other messages, those of plugins included. */
const SECRET = /password|passwd|secret|token|salt|proof|verifier|^(stored|server|private)_?key$/i

/** Lines with text of people. In messages of foreign plugins all lines but names are taken for such. */
const TEXT_LINES = ['note', 'lastText', 'about', 'avatar', 'emoji', 'fileName']
const NAMES = ['user', 'from', 'to', 'group', 'name', 'nickname', 'role', 'clientId']

/** JSON of one record at most, so that it does not delay the event loop. */
const MAX_JSON_BYTES = 65_536

/**
 * The values of a message as JSON: texts and bytes as `{"bytes": 5}` unless `texts` is true, secrets always as
 * `{"hidden": true}`. A record that is too long is shown without texts, then without lists.
 */
export function shown(message: Message, values: Values, texts: boolean): string {
  const look = { message, texts, lists: true }
  const json = JSON.stringify(showFields(message.fields, values, look))
  if (Buffer.byteLength(json) <= MAX_JSON_BYTES) return json
  const brief = JSON.stringify(showFields(message.fields, values, { ...look, texts: false }))
  if (Buffer.byteLength(brief) <= MAX_JSON_BYTES) return brief
  const briefest = JSON.stringify(showFields(message.fields, values, { message, texts: false, lists: false }))
  return Buffer.byteLength(briefest) <= MAX_TEXT ? briefest : '{}'
}

interface Look {
  readonly message: Message
  readonly texts: boolean
  readonly lists: boolean
}

const showFields = (fields: Fields, values: Values, look: Look): Values =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([name]) => values[name] !== undefined)
      .map(([name, field]) => [name, showField(name, field, values[name], look)]),
  )

function showField(name: string, field: AnyField, value: unknown, look: Look): unknown {
  const open = OPEN_FIELDS[look.message.name]
  if (open === undefined ? SECRET.test(name) : !open.includes(name)) return { hidden: true }
  if (field.kind === 'list') {
    const items = value as readonly Values[]
    return look.lists ? items.map((item) => showFields(field.fields, item, look)) : { items: items.length }
  }
  if (!isText(name, field, look.message)) return value
  if (value instanceof Uint8Array)
    return look.texts ? `base64:${Buffer.from(value).toString('base64')}` : { bytes: value.length }
  return look.texts ? value : { bytes: Buffer.byteLength(value as string) }
}

function isText(name: string, { kind }: AnyField, { type }: Message): boolean {
  if (kind === 'line') return type >= FIRST_FOREIGN_TYPE ? !NAMES.includes(name) : TEXT_LINES.includes(name)
  return kind === 'text' || kind === 'bytes'
}

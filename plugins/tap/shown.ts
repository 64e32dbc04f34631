import { type AnyField, FIRST_FOREIGN_TYPE, type Fields, MAX_TEXT, type Message } from '../../core/index.ts'

type Values = Readonly<Record<string, unknown>>

/** Messages that carry what passwords are proved and checked with, and the fields of them that may be shown. */
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
  // They hold a whole message, which is told by itself.
  once: ['key'],
  once_done: ['repeat'],
}

/** Fields of any other message, of a plugin's too, that are secret by their name. */
const SECRET = /password|passwd|secret|token|salt|proof|verifier|^(stored|server|private)_?key$/i

/** Lines in which people say something; those of other people's plugins may all be such, but for names. */
const SAID = ['note', 'lastText']
const NAMES = ['user', 'from', 'to', 'group', 'name', 'nickname', 'role', 'clientId']

/** As much JSON as goes through without holding up the server. */
const MAX_JSON = 65_536

/**
 * The values of a message as JSON: texts and bytes as `{"bytes": 5}` unless they are wanted, what belongs to passwords
 * as `{"hidden": true}` in any case. What would be too long is shown without texts, and then without lists.
 */
export function shown(message: Message, values: Values, texts: boolean): string {
  const look = { message, texts, lists: true }
  const json = JSON.stringify(showFields(message.fields, values, look))
  if (Buffer.byteLength(json) <= MAX_JSON) return json
  const brief = JSON.stringify(showFields(message.fields, values, { ...look, texts: false }))
  if (Buffer.byteLength(brief) <= MAX_JSON) return brief
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
  if (!isSaid(name, field, look.message)) return value
  if (value instanceof Uint8Array)
    return look.texts ? `base64:${Buffer.from(value).toString('base64')}` : { bytes: value.length }
  return look.texts ? value : { bytes: Buffer.byteLength(value as string) }
}

function isSaid(name: string, { kind }: AnyField, { type }: Message): boolean {
  if (kind === 'line') return type >= FIRST_FOREIGN_TYPE ? !NAMES.includes(name) : SAID.includes(name)
  return kind === 'text' || kind === 'bytes'
}

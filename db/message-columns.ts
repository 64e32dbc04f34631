const content = <const Column extends string, const Field extends string, Value>(
  column: Column,
  field: Field,
  value: Value,
) => ({ column, field, value })

/**
 * Given by the sender: column, field on the wire, default. The rows, the INSERTs of both databases, the text form and the
 * copy in `scheduled` derive from this list: a further style is a line here, a migration and a field of the messages.
 */
const CONTENT = [
  content('msg', 'text', ''),
  content('font', 'font', ''),
  content('font_size', 'fontSize', 0),
  content('color', 'color', ''),
] as const

type Content = (typeof CONTENT)[number]

/** What the sender gives, by column. */
export type ContentColumns = { readonly [C in Content as C['column']]: C['value'] }

/** What the sender gives, by field. */
export type MessageContent = { readonly [C in Content as C['field']]: C['value'] }

/** Given by the server when it accepts a message. */
export interface Envelope {
  readonly user_id: number
  /** A group for `MSG_TYPE.group`, otherwise a user. */
  readonly target_id: number
  readonly msg_type: number
  /** Idempotency key, unique per sender. */
  readonly client_id: string
  /** Milliseconds since 1970 UTC. */
  readonly send_time: number
  /** Length of the chain of bot replies; 0 for a person. */
  readonly hops: number
}

/** Given by the writer when it stores a message. */
export interface Placement {
  /** 1 while unread. */
  readonly isRead: number
  /** 0 for a deleted message. */
  readonly isActive: number
  /** Place in the group's sequence; null in a private message. */
  readonly seq: number | null
  /** See laneOf. */
  readonly lane: number
}

export interface NewMessageRow extends Envelope, ContentColumns {}

export interface MessageRow extends NewMessageRow, Placement {
  readonly id: number
}

/** The part of the text form that the numbers of a row stand for. */
export interface Names {
  readonly from: string
  /** Empty in a group message. */
  readonly to: string
  /** Empty in a private message. */
  readonly group: string
  readonly unread: boolean
}

/** A message as it travels, with names instead of numbers. */
export interface TextForm extends MessageContent, Names {
  readonly id: number
  readonly kind: number
  readonly sentAt: number
  readonly hops: number
}

const keysOf = <T>(keys: Record<keyof T, true>) => Object.keys(keys)

const ENVELOPE = keysOf<Envelope>({
  user_id: true,
  target_id: true,
  msg_type: true,
  client_id: true,
  send_time: true,
  hops: true,
})
const PLACEMENT = keysOf<Placement>({ isRead: true, isActive: true, seq: true, lane: true })
const NAMES = keysOf<Names>({ from: true, to: true, group: true, unread: true })

/** Columns of an INSERT, in the order of insertValues. */
export const INSERT_COLUMNS = [...ENVELOPE, ...CONTENT.map(({ column }) => column), ...PLACEMENT]

const values = (source: string, keys: readonly string[]) => keys.map((key) => `${source}.${key}`)
const same = (source: string, keys: readonly string[]) => keys.map((key) => `${key}: ${source}.${key}`)
const toColumn = (source: string) => CONTENT.map(({ column, field }) => `${column}: ${source}.${field}`)
const toField = (source: string) => CONTENT.map(({ column, field }) => `${field}: ${source}.${column}`)

/**
 * Compiles a function of one expression. A record of a literal costs a tenth of one that a loop or a spread fills, and
 * every message is read many times. Only the constants above get into the code.
 */
const compile = (parameters: readonly string[], expression: string) =>
  // oxlint-disable-next-line typescript/no-implied-eval -- no input of anyone gets into it
  new Function(...parameters, `return ${expression}`) as never
const record = (...properties: string[][]) => `({ ${properties.flat().join(', ')} })`

/** A message as the writer takes it. */
export const newRow: (envelope: Envelope, content: MessageContent) => NewMessageRow = compile(
  ['envelope', 'content'],
  record(same('envelope', ENVELOPE), toColumn('content')),
)

/** The values of an INSERT, in the order of INSERT_COLUMNS. */
export const insertValues: (row: NewMessageRow, placement: Placement) => (string | number | null)[] = compile(
  ['row', 'placement'],
  `[${[...values('row', ENVELOPE), ...CONTENT.map(({ column }) => `row.${column}`), ...values('placement', PLACEMENT)].join(', ')}]`,
)

/** A stored message as it travels. */
export const textForm: (id: number, row: NewMessageRow, names: Names) => TextForm = compile(
  ['id', 'row', 'names'],
  record(['id', 'kind: row.msg_type', 'sentAt: row.send_time', 'hops: row.hops'], same('names', NAMES), toField('row')),
)

/** Content as columns, for tables other than `chatmsg` that keep a copy. */
export const contentColumns: (content: MessageContent) => ContentColumns = compile(
  ['content'],
  record(toColumn('content')),
)

/** The content of a row. */
export const contentOf: (row: ContentColumns) => MessageContent = compile(['row'], record(toField('row')))

/** Content without style. */
export const plainContent = (text: string): MessageContent => ({ ...DEFAULTS, text })

const DEFAULTS = Object.fromEntries(CONTENT.map(({ field, value }) => [field, value])) as unknown as MessageContent

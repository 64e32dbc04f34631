const content = <const Column extends string, const Field extends string, Value>(
  column: Column,
  field: Field,
  value: Value,
) => ({ column, field, value })

/**
 * Given by the sender: column, field on the wire, default. The types of rows, the INSERTs of both databases, the text form and
 * the copy in `scheduled` derive from this list: a new style is a line here, one in each record below (the compiler names
 * them), a migration and a field of the messages.
 */
const CONTENT = [
  content('msg', 'text', ''),
  content('font', 'font', ''),
  content('font_size', 'fontSize', 0),
  content('color', 'color', ''),
] as const

type Content = (typeof CONTENT)[number]

/** Values that the sender sets, by column. */
export type ContentColumns = { readonly [C in Content as C['column']]: C['value'] }

/** Values that the sender sets, by field. */
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

/** What a message consists of, without its place in the database. */
export interface MessageColumns extends Envelope, ContentColumns {}

/** A file as messages describe it. */
export interface FileFacts {
  readonly id: number
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Media type, found in the bytes. */
  readonly type: string
  /** Pixels, as shown; 0 if it is no picture. */
  readonly width: number
  readonly height: number
  /** Base64 of the ThumbHash; empty for none. */
  readonly thumbhash: string
  readonly hasPreview: boolean
}

/** Of a message without a file. */
export const NO_FILE: FileFacts = {
  id: 0,
  name: '',
  size: 0,
  type: '',
  width: 0,
  height: 0,
  thumbhash: '',
  hasPreview: false,
}

export interface NewMessageRow extends MessageColumns {
  /** Id of the message that this one answers; 0: none. Stored in `message_extra`. */
  readonly reply_to: number
  /** Its id is stored in `message_extra`. */
  readonly file: FileFacts
  /** Number of the log up to which its sender's rights were checked, see Outdated; or UNCHECKED. Not stored. */
  readonly checkedUpTo: number
}

/** Whether a message has a row in `message_extra`. */
export const hasExtra = ({ reply_to, file }: NewMessageRow) => reply_to !== 0 || file !== NO_FILE

/** A row of `chatmsg`. */
export interface StoredRow extends MessageColumns, Placement {
  readonly id: number
}

/** A row of `chatmsg` with that of `message_extra`; null where there is none. */
export interface MessageRow extends StoredRow {
  readonly reply_to: number | null
  /** Time of the last edit, milliseconds since 1970 UTC; 0: never edited. */
  readonly edited_at: number | null
  readonly file_id: number | null
  readonly file_name: string | null
  readonly file_size: number | null
  readonly file_type: string | null
  readonly file_width: number | null
  readonly file_height: number | null
  readonly file_thumbhash: string | null
  /** Key of the preview; empty for none. */
  readonly file_preview: string | null
}

/** The file of a row. */
export const fileOf = (row: MessageRow): FileFacts =>
  row.file_id === null || row.file_name === null
    ? NO_FILE
    : {
        id: row.file_id,
        name: row.file_name,
        size: row.file_size ?? 0,
        type: row.file_type ?? '',
        width: row.file_width ?? 0,
        height: row.file_height ?? 0,
        thumbhash: row.file_thumbhash ?? '',
        hasPreview: (row.file_preview ?? '') !== '',
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
  readonly replyTo: number
  readonly editedAt: number
  readonly file: number
  readonly fileName: string
  readonly fileSize: number
  readonly fileType: string
  readonly fileWidth: number
  readonly fileHeight: number
  readonly fileThumbhash: string
  readonly filePreview: boolean
}

/** Columns of an INSERT, in the order of insertValues. */
export const INSERT_COLUMNS = [
  'id',
  'user_id',
  'target_id',
  'msg_type',
  'client_id',
  'send_time',
  'hops',
  ...CONTENT.map(({ column }) => column),
  'isRead',
  'isActive',
  'seq',
  'lane',
] as const

// Literals, since each message is read many times: a record of a loop or a spread costs ten times as much. Their types
// derive from CONTENT, so the compiler names each of them that lacks a new column.

/** A message as the writer takes it. */
export const newRow = (
  envelope: Envelope,
  { text, font, fontSize, color }: MessageContent,
  replyTo: number,
  file: FileFacts,
  checkedUpTo: number,
): NewMessageRow => ({
  user_id: envelope.user_id,
  target_id: envelope.target_id,
  msg_type: envelope.msg_type,
  client_id: envelope.client_id,
  send_time: envelope.send_time,
  hops: envelope.hops,
  msg: text,
  font,
  font_size: fontSize,
  color,
  reply_to: replyTo,
  file,
  checkedUpTo,
})

/** The values of an INSERT, in the order of INSERT_COLUMNS. @param id number in the log */
export const insertValues = (id: number, row: MessageColumns, placement: Placement): (string | number | null)[] => [
  id,
  row.user_id,
  row.target_id,
  row.msg_type,
  row.client_id,
  row.send_time,
  row.hops,
  row.msg,
  row.font,
  row.font_size,
  row.color,
  placement.isRead,
  placement.isActive,
  placement.seq,
  placement.lane,
]

/** A stored message as it travels. */
export const textForm = (
  id: number,
  row: MessageColumns,
  { from, to, group, unread }: Names,
  replyTo: number,
  editedAt: number,
  file: FileFacts,
): TextForm => ({
  id,
  kind: row.msg_type,
  sentAt: row.send_time,
  hops: row.hops,
  from,
  to,
  group,
  unread,
  text: row.msg,
  font: row.font,
  fontSize: row.font_size,
  color: row.color,
  replyTo,
  editedAt,
  file: file.id,
  fileName: file.name,
  fileSize: file.size,
  fileType: file.type,
  fileWidth: file.width,
  fileHeight: file.height,
  fileThumbhash: file.thumbhash,
  filePreview: file.hasPreview,
})

/** Content as columns, for tables other than `chatmsg` that keep a copy. */
export const contentColumns = ({ text, font, fontSize, color }: MessageContent): ContentColumns => ({
  msg: text,
  font,
  font_size: fontSize,
  color,
})

/** The content of a row. */
export const contentOf = ({ msg, font, font_size, color }: ContentColumns): MessageContent => ({
  text: msg,
  font,
  fontSize: font_size,
  color,
})

/** Content without style. */
export const plainContent = (text: string): MessageContent => ({ ...DEFAULTS, text })

const DEFAULTS = Object.fromEntries(CONTENT.map(({ field, value }) => [field, value])) as unknown as MessageContent

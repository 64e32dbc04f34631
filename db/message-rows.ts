import type { MessageRow } from './message-columns.ts'

/** Columns of a row of `chatmsg`, in the order of `messageRow`. */
const OF_MESSAGE = [
  'id',
  'user_id',
  'target_id',
  'msg_type',
  'client_id',
  'send_time',
  'hops',
  'msg',
  'font',
  'font_size',
  'color',
  'isRead',
  'isActive',
  'seq',
  'lane',
] as const
const OF_EXTRA = ['reply_to', 'edited_at', 'file_id'] as const
/** Columns of `stored_file`, each with this prefix. */
const OF_FILE = [
  'file_name',
  'file_size',
  'file_type',
  'file_width',
  'file_height',
  'file_thumbhash',
  'file_preview',
] as const
const PREFIX = 'file_'

/** Messages with their rows of `message_extra`, in one statement: an edit changes both. With their files. */
export const SELECT_WITH_EXTRAS = `select ${[
  ...OF_MESSAGE.map((column) => `m.${column}`),
  ...OF_EXTRA.map((column) => `e.${column}`),
  ...OF_FILE.map((column) => `f.${column.slice(PREFIX.length)} as ${column}`),
].join(', ')}
  from chatmsg as m left join message_extra as e on e.message_id = m.id left join stored_file as f on f.id = e.file_id`

/** Names of the values of a row of SELECT_WITH_EXTRAS. */
export const ROW_COLUMNS = [...OF_MESSAGE, ...OF_EXTRA, ...OF_FILE] as const

type Values = { readonly [C in keyof typeof ROW_COLUMNS]: MessageRow[(typeof ROW_COLUMNS)[C] & keyof MessageRow] }

/**
 * A row of SELECT_WITH_EXTRAS from its values. A literal: as an object of SQLite's driver, which sets one property after
 * another, a row takes more than twice the time.
 */
export const messageRow = (values: readonly unknown[]): MessageRow => {
  const v = values as unknown as Values
  return {
    id: v[0],
    user_id: v[1],
    target_id: v[2],
    msg_type: v[3],
    client_id: v[4],
    send_time: v[5],
    hops: v[6],
    msg: v[7],
    font: v[8],
    font_size: v[9],
    color: v[10],
    isRead: v[11],
    isActive: v[12],
    seq: v[13],
    lane: v[14],
    reply_to: v[15],
    edited_at: v[16],
    file_id: v[17],
    file_name: v[18],
    file_size: v[19],
    file_type: v[20],
    file_width: v[21],
    file_height: v[22],
    file_thumbhash: v[23],
    file_preview: v[24],
  }
}

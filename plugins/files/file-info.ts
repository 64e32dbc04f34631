import { FILE_STATE, type FileRow } from '../../db/index.ts'

/** The description of a complete file for a user. */
export const infoOf = (row: FileRow, userId: number) => ({
  file: row.id,
  name: row.name,
  size: row.size,
  type: row.type,
  width: row.width,
  height: row.height,
  thumbhash: row.thumbhash,
  preview: row.preview_size,
  sha256: Buffer.from(row.content, 'hex'),
  held: row.state === FILE_STATE.held,
  own: row.owner_id === userId,
  createdAt: row.created_at,
})

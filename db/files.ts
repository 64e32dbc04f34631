import type { Knex } from 'knex'
import { groupRange } from './groups.ts'
import { countRows, lockUsers } from './locks.ts'
import type { FileFacts, MessageRow } from './message-columns.ts'
import { MSG_TYPE, messagesByIds, PRIVATE, privateRange } from './messages.ts'
import { idsIn } from './scan.ts'
import { asking } from './selects.ts'
import { transact } from './transaction.ts'

/** Uploading: bytes are missing. Held: complete, until the scan program accepts it. Ready: may be read. */
export const FILE_STATE = { uploading: 0, held: 1, ready: 2 } as const

/** A row of `stored_file`. Times in milliseconds since 1970 UTC. */
export interface FileRow {
  readonly id: number
  readonly owner_id: number
  readonly client_id: string
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** See FILE_STATE. */
  readonly state: number
  /** Name of the file that collects the upload. */
  readonly part: string
  /** Key of the content in the store; empty while it is uploaded. */
  readonly content: string
  /** Key of the preview; empty for none. */
  readonly preview: string
  readonly preview_size: number
  readonly type: string
  readonly width: number
  readonly height: number
  readonly thumbhash: string
  readonly created_at: number
  readonly used_at: number
  /** 0: deleted or expired. */
  readonly isActive: number
}

export type NewUpload = Pick<FileRow, 'owner_id' | 'client_id' | 'name' | 'size' | 'part' | 'created_at'>

/** Result of an upload, besides its state. */
export type FinishedFile = Pick<
  FileRow,
  'size' | 'state' | 'content' | 'preview' | 'preview_size' | 'type' | 'width' | 'height' | 'thumbhash'
>

/** Bytes and files that count against a quota. */
export interface FileUsage {
  readonly files: number
  readonly bytes: number
  /** Of these, unfinished uploads. */
  readonly uploads: number
}

export interface UploadLimits {
  /** Unfinished uploads of one user. */
  readonly uploads: number
  /** Bytes of one user. */
  readonly userBytes: number
  /** Bytes of all users. */
  readonly serverBytes: number
  /** Bytes that the disk has room for. */
  readonly freeBytes: number
}

/** Why an upload was not begun, with the usage that it would exceed. */
export interface UploadConflict {
  readonly conflict: keyof UploadLimits
  readonly used: number
}

const files = (db: Knex) => db<FileRow>('stored_file')

export const factsOf = (row: FileRow): FileFacts => ({
  id: row.id,
  name: row.name,
  size: row.size,
  type: row.type,
  width: row.width,
  height: row.height,
  thumbhash: row.thumbhash,
  hasPreview: row.preview !== '',
})

/** The usage of one user, or of all. */
export async function fileUsage(db: Knex, ownerId?: number): Promise<FileUsage> {
  const [row] = await files(db)
    .where({ isActive: 1, ...(ownerId !== undefined && { owner_id: ownerId }) })
    .select({ files: db.raw('count(*)'), bytes: db.raw('sum(size)') })
  const uploads = files(db).where({ isActive: 1, state: FILE_STATE.uploading })
  const open = await countRows(ownerId === undefined ? uploads : uploads.where({ owner_id: ownerId }))
  const { files: count, bytes } = row as unknown as { files: number; bytes: number | null }
  return { files: Number(count), bytes: Number(bytes ?? 0), uploads: open }
}

/**
 * Begins an upload, or finds the one with the same owner and client id, also a finished one; one that has expired begins
 * anew. Reserves its bytes: the sums change only under the user's lock; of all users, one caller at a time.
 */
export const beginUpload = (db: Knex, row: NewUpload, limits: UploadLimits): Promise<FileRow | UploadConflict> =>
  transact(db, async (trx) => {
    const { owner_id, client_id, created_at } = row
    await lockUsers(trx, owner_id)
    const earlier = await files(trx).where({ owner_id, client_id }).first()
    if (earlier?.isActive === 1) return earlier
    const own = await fileUsage(trx, owner_id)
    if (own.uploads >= limits.uploads) return { conflict: 'uploads', used: own.uploads } as const
    if (own.bytes + row.size > limits.userBytes) return { conflict: 'userBytes', used: own.bytes } as const
    const { bytes } = await fileUsage(trx)
    if (bytes + row.size > limits.serverBytes) return { conflict: 'serverBytes', used: bytes } as const
    if (row.size > limits.freeBytes) return { conflict: 'freeBytes', used: 0 } as const
    // A new row: messages that name the expired file must not show another one.
    if (earlier !== undefined)
      await files(trx)
        .where({ id: earlier.id })
        .update({ client_id: `\u001f${earlier.id}` })
    const [id] = await files(trx).insert({ ...row, used_at: created_at })
    return (await files(trx)
      .where({ id: id as number })
      .first()) as FileRow
  })

/** A file that was not deleted, whoever may read it. */
export const findFile = (db: Knex, id: number): Promise<FileRow | undefined> =>
  files(db).where({ id, isActive: 1 }).first()

/** The facts of a file, also of a deleted one. */
export async function findFileFacts(db: Knex, id: number): Promise<FileFacts | undefined> {
  const row = await files(db).where({ id }).first()
  return row && factsOf(row)
}

/** Stores the result of an upload. False if it was deleted or finished meanwhile. */
export const finishUpload = async (db: Knex, id: number, result: FinishedFile, now: number): Promise<boolean> =>
  (await files(db)
    .where({ id, isActive: 1, state: FILE_STATE.uploading })
    .update({ ...result, used_at: now })) > 0

/** Ends the hold of a file. False if it was deleted or released meanwhile. */
export const releaseFile = async (db: Knex, id: number): Promise<boolean> =>
  (await files(db).where({ id, isActive: 1, state: FILE_STATE.held }).update({ state: FILE_STATE.ready })) > 0

/** The oldest files on hold above an id. */
export const heldFiles = (db: Knex, after: number, limit: number): Promise<FileRow[]> =>
  files(db).where({ isActive: 1, state: FILE_STATE.held }).where('id', '>', after).orderBy('id').limit(limit)

/** Sets the time of the last use, which keeps a file without a message. False if it has expired or was deleted. */
export const useFile = async (db: Knex, id: number, now: number): Promise<boolean> =>
  (await files(db).where({ id, isActive: 1 }).update({ used_at: now })) > 0

/** Deletes a file logically: nobody can read it from now on. False if there was none. @param ownerId only of this owner */
export const deleteFile = async (db: Knex, id: number, ownerId?: number): Promise<boolean> =>
  (await files(db)
    .where({ id, isActive: 1, ...(ownerId !== undefined && { owner_id: ownerId }) })
    .update({ isActive: 0 })) > 0

const MAY_READ_MESSAGE = `m.isActive = 1 and (
  (m.msg_type in (${PRIVATE.join(', ')}) and (m.user_id = ? or m.target_id = ?))
  or (m.msg_type = ${MSG_TYPE.group} and exists (
    select 1 from chatroom_user u join chatroom g on g.id = u.chatroom_id
    where u.chatroom_id = m.target_id and u.user_id = ? and u.isActive = 1 and u.role <> 'invited'
      and u.joined_seq < m.seq and g.isActive = 1)))`

/**
 * A complete file that a user may read: an own one, or one of a message that the user may read now. One statement,
 * whether there is such a file or not: neither answer nor time must tell.
 */
export async function readableFile(db: Knex, userId: number, id: number): Promise<FileRow | undefined> {
  const [row] = await asking(db)(
    `select f.* from stored_file f where f.id = ? and f.isActive = 1 and f.state > ${FILE_STATE.uploading}
       and (f.owner_id = ? or exists (
         select 1 from message_extra e join chatmsg m on m.id = e.message_id
         where e.file_id = f.id and ${MAY_READ_MESSAGE}))`,
    [id, userId, userId, userId, userId],
  )
  return row as FileRow | undefined
}

/** Complete files of a user, newest first. */
export const filesOf = (db: Knex, ownerId: number, before: number, limit: number): Promise<FileRow[]> =>
  files(db)
    .where({ owner_id: ownerId, isActive: 1 })
    .where('state', '>', FILE_STATE.uploading)
    .where('id', '<', before)
    .orderBy('id', 'desc')
    .limit(limit)

/** Active files by id. */
export async function filesByIds(db: Knex, ids: readonly number[]): Promise<ReadonlyMap<number, FileRow>> {
  const rows = ids.length === 0 ? [] : await files(db).whereIn('id', ids).where({ isActive: 1 })
  return new Map(rows.map((row) => [row.id, row]))
}

/** A conversation, as far as a user may read it. */
export type FilePlace =
  | { readonly userId: number; readonly otherId: number }
  | { readonly groupId: number; readonly since: number }

const HAS_FILE = 'exists (select 1 from message_extra e where e.message_id = m.id and e.file_id > 0)'

/** Messages with files in a conversation, newest first. `next`: only lower ids were not read; 0 if there are none. */
export async function fileMessages(
  db: Knex,
  place: FilePlace,
  before: number,
  limit: number,
): Promise<{ readonly messages: MessageRow[]; readonly next: number }> {
  const { ids, readTo } = await idsIn(db, rangesOf(place, before), {
    limit: limit + 1,
    newestFirst: true,
    isBounded: true,
  })
  const page = ids.slice(0, limit)
  const rows = await messagesByIds(db, page)
  const next = ids.length > limit ? (page.at(-1) ?? 0) : (readTo ?? 0)
  return { messages: rows.sort((one, other) => other.id - one.id), next }
}

function rangesOf(place: FilePlace, before: number) {
  if ('groupId' in place) {
    const { groupId, since } = place
    const filter = `m.isActive = 1 and m.id < ? and ${HAS_FILE}`
    return [{ ...groupRange(groupId), above: since, filter, values: [before] }]
  }
  const { userId, otherId } = place
  const directions = [privateRange({ to: otherId, from: userId, below: before })]
  if (userId !== otherId) directions.push(privateRange({ to: userId, from: otherId, below: before }))
  return directions.map((range) => ({ ...range, filter: `${range.filter} and ${HAS_FILE}` }))
}

/** Complete files above an id, in the order of ids. */
export const completeFiles = (db: Knex, after: number, limit: number): Promise<FileRow[]> =>
  files(db)
    .where({ isActive: 1 })
    .where('state', '>', FILE_STATE.uploading)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)

/** The usage of users with files, with ids above `after`, ascending. */
export async function usageByOwner(
  db: Knex,
  after: number,
  limit: number,
): Promise<{ readonly owner_id: number; readonly files: number; readonly bytes: number }[]> {
  const rows = await db('stored_file')
    .where({ isActive: 1 })
    .where('owner_id', '>', after)
    .groupBy('owner_id')
    .orderBy('owner_id')
    .limit(limit)
    .select('owner_id', { files: db.raw('count(*)'), bytes: db.raw('sum(size)') })
  return rows.map(({ owner_id, files: count, bytes }) => ({ owner_id, files: Number(count), bytes: Number(bytes) }))
}

import type { Knex } from 'knex'
import { FILE_STATE, type FileRow } from './files.ts'
import { MSG_TYPE } from './messages.ts'

/** Which files are not kept. Times in milliseconds since 1970 UTC. */
export interface Expiry {
  /** Without a message that carries it, a file is kept if it was used at this time or later. */
  readonly usedBefore: number
  /** Older messages do not keep their files: private ones, and those of groups. */
  readonly privateSince: number
  readonly groupSince: number
}

const expired = (db: Knex, { usedBefore, privateSince, groupSince }: Expiry) =>
  db('stored_file as f')
    .where({ 'f.isActive': 1 })
    .where('f.used_at', '<', usedBefore)
    .whereNotExists(
      db('message_extra as e')
        .join('chatmsg as m', 'm.id', 'e.message_id')
        .whereRaw('e.file_id = f.id')
        .where({ 'm.isActive': 1 })
        .whereRaw('m.send_time >= case when m.msg_type = ? then ? else ? end', [
          MSG_TYPE.group,
          groupSince,
          privateSince,
        ])
        .select(db.raw('1')),
    )
    .whereNotExists(
      db('scheduled as s').whereRaw('s.file_id = f.id').whereIn('s.state', ['waiting', 'sending']).select(db.raw('1')),
    )

/** Files that are not kept, with ids from `after` on up to `upTo`. */
export const unusedFiles = (
  db: Knex,
  expiry: Expiry,
  { after, upTo }: { readonly after: number; readonly upTo: number },
): Promise<Pick<FileRow, 'id' | 'part'>[]> =>
  expired(db, expiry).where('f.id', '>', after).where('f.id', '<=', upTo).orderBy('f.id').select('f.id', 'f.part')

/** Deletes a file logically unless it is kept by now. False if it is. */
export async function expireFile(db: Knex, expiry: Expiry, id: number): Promise<boolean> {
  if ((await expired(db, expiry).where({ 'f.id': id }).first('f.id')) === undefined) return false
  // What begins to use it sets the time first, and so prevents this.
  const changed = await db<FileRow>('stored_file')
    .where({ id, isActive: 1 })
    .where('used_at', '<', expiry.usedBefore)
    .update({ isActive: 0 })
  return changed > 0
}

/** The highest id of a file; 0 for none. */
export async function newestFile(db: Knex): Promise<number> {
  const [row] = await db('stored_file').max({ last: 'id' })
  return Number(row?.last ?? 0)
}

/** Names of the parts of unfinished uploads. */
export async function wantedParts(db: Knex): Promise<ReadonlySet<string>> {
  const names: string[] = await db('stored_file').where({ isActive: 1, state: FILE_STATE.uploading }).pluck('part')
  return new Set(names)
}

/** The keys among these that no file has. */
export async function unusedContents(db: Knex, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return []
  const inUse = async (column: 'content' | 'preview'): Promise<string[]> =>
    db('stored_file').whereIn(column, keys).where({ isActive: 1 }).distinct().pluck(column)
  const used = new Set([...(await inUse('content')), ...(await inUse('preview'))])
  return keys.filter((key) => !used.has(key))
}

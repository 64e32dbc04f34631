import { createHash } from 'node:crypto'
import { completeFiles, type FileRow, fileUsage, usageByOwner } from '../../db/index.ts'
import { actor } from '../accounts/actor.ts'
import { FilesGc, QueryFileQuotas, VerifyFiles } from './messages.ts'
import type { Parts } from './parts.ts'
import type { Sweep } from './sweep.ts'

/** Files and bytes that one request checks, about: it must answer in time. */
const [FILES_PER_CHECK, BYTES_PER_CHECK] = [50, 32 * 1024 * 1024]
const USERS_PER_PAGE = 100
/** Bytes that are read and hashed at once. */
const READ_BYTES = 512 * 1024

/** Requests of admins: sweep, check and usage. */
export function handleMaintenance(parts: Parts, sweep: Sweep) {
  const { app, db, limits, accounts } = parts

  app.handle(FilesGc, async (session, { dryRun: isDryRun }) => {
    const swept = await sweep.run({ isDryRun })
    if (!isDryRun) app.audit.info({ event: 'files_gc', ...actor(session), ...swept })
    return swept
  })

  app.handle(VerifyFiles, async (_session, { after }) => {
    const rows = await completeFiles(db, after, FILES_PER_CHECK)
    const checked: FileRow[] = []
    const faults: { row: FileRow; variant: Variant; fault: Fault }[] = []
    let bytes = 0
    for (const row of rows) {
      if (bytes >= BYTES_PER_CHECK) break
      checked.push(row)
      bytes += row.size + row.preview_size
      for (const variant of ['original', 'preview'] as const) {
        const fault = await faultOf(parts, variant === 'original' ? row.content : row.preview)
        if (fault !== undefined) faults.push({ row, variant, fault })
      }
    }
    const isLast = checked.length === rows.length && rows.length < FILES_PER_CHECK
    const owners = await accounts.byIds(faults.map(({ row }) => row.owner_id))
    return {
      next: isLast ? 0 : (checked.at(-1)?.id ?? 0),
      files: checked.length,
      bytes,
      faults: faults.map(({ row: { id, name, owner_id }, ...what }) => {
        return { file: id, name, owner: owners.get(owner_id)?.name ?? `#${owner_id}`, ...what }
      }),
    }
  })

  app.handle(QueryFileQuotas, async (_session, { after }) => {
    const { files, bytes } = await fileUsage(db)
    const rows = await usageByOwner(db, after, USERS_PER_PAGE)
    const owners = await accounts.byIds(rows.map(({ owner_id }) => owner_id))
    const users = rows.map(({ owner_id, ...usage }) => ({
      user: owners.get(owner_id)?.name ?? `#${owner_id}`,
      ...usage,
    }))
    const next = rows.length < USERS_PER_PAGE ? 0 : (rows.at(-1)?.owner_id ?? 0)
    return { files, bytes, store: limits.fileStore, quota: limits.fileQuota, next, users }
  })
}

type Variant = 'original' | 'preview'
type Fault = 'missing' | 'differs'

/** What is wrong with content; undefined if nothing is. */
async function faultOf({ contents }: Parts, key: string): Promise<Fault | undefined> {
  if (key === '') return undefined
  const hash = createHash('sha256')
  for (let at = 0; ; ) {
    const data = await contents.read(key, at, READ_BYTES)
    if (data === undefined) return 'missing'
    hash.update(data)
    at += data.length
    if (data.length < READ_BYTES) return hash.digest('hex') === key ? undefined : 'differs'
  }
}

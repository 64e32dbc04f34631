import { KeyedQueue, Refused, type UserSession, type ValuesOf } from '../../core/index.ts'
import {
  beginUpload,
  FILE_STATE,
  type FileRow,
  findFile,
  finishUpload,
  type UploadConflict,
  useFile,
} from '../../db/index.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import { byteSize } from '../messages/file-caption.ts'
import { FAILURES } from './failures.ts'
import { MAX_CHUNK } from './fields.ts'
import { infoOf } from './file-info.ts'
import { fileNameOf } from './file-name.ts'
import { BeginUpload, FinishUpload, UploadChunk } from './messages.ts'
import type { OpenUpload } from './open-uploads.ts'
import { PartFiles } from './part-files.ts'
import type { Parts } from './parts.ts'
import { processed } from './processing.ts'

/** Bytes of a message besides its content, at most. */
const ENVELOPE = 1024

export function handleUploading(parts: Parts) {
  handleBegin(parts)
  handleChunks(parts)
  handleFinish(parts)
}

function handleBegin({ app, db, limits, partFiles, uploads, changes }: Parts) {
  /** Reservations, one at a time: the sum of all users must not exceed the limit. */
  const begins = new KeyedQueue<'begin'>()
  const chunk = Math.min(MAX_CHUNK, app.limits.message - ENVELOPE)

  const begin = async ({ user }: UserSession, { name, size, clientId }: ValuesOf<typeof BeginUpload>) => {
    const row = {
      owner_id: user.id,
      client_id: clientId,
      name: fileNameOf(name),
      size,
      part: PartFiles.newName(),
      created_at: app.clock.time(),
    }
    const begun = await beginUpload(db, row, {
      uploads: limits.fileUploads,
      userBytes: limits.fileQuota,
      serverBytes: limits.fileStore,
      freeBytes: (await partFiles.freeBytes()) - limits.fileFreeSpace,
    })
    if ('conflict' in begun) throw refusalOf(begun, size, limits)
    return begun
  }

  app.handle(BeginUpload, async (session, values) => {
    const { size } = values
    if (size > limits.fileSize)
      throw new Refused(
        FAILURES.file_too_large,
        `the file has ${byteSize(size)}, at most ${byteSize(limits.fileSize)} are allowed`,
      )
    const row = await begins.run('begin', () => begin(session, values))
    if (row.name !== fileNameOf(values.name) || (row.state === FILE_STATE.uploading && row.size !== size))
      throw new Refused(MESSAGE_FAILURES.client_id_reused, 'the client id was used for a different file')
    const about = { upload: row.id, chunk, window: limits.fileWindow }
    if (row.state !== FILE_STATE.uploading) return { ...about, offset: size }
    const offset = await changes.run(row.id, async () => {
      if (!(await useFile(db, row.id, app.clock.time()))) throw new Refused(FAILURES.no_upload)
      const { part } = await uploads.open(row)
      // Bytes that do not belong to this upload: left by a crash of the machine.
      if (part.size > size) await part.clear()
      return part.size
    })
    return { ...about, offset }
  })
}

function refusalOf({ conflict, used }: UploadConflict, size: number, limits: Parts['limits']): Refused {
  const needs = `the file has ${byteSize(size)}`
  if (conflict === 'uploads')
    return new Refused('too_many', `you have ${used} unfinished uploads; finish or delete one`)
  if (conflict === 'freeBytes') return new Refused(FAILURES.no_space, `${needs}; the disk of the server is nearly full`)
  const [whose, limit] = conflict === 'userBytes' ? ['your', limits.fileQuota] : ['all', limits.fileStore]
  return new Refused(
    FAILURES.quota_exceeded,
    `${needs}; ${whose} files have ${byteSize(used)}, at most ${byteSize(limit)} are allowed`,
  )
}

function handleChunks({ app, uploads, rate, window, changes }: Parts) {
  const own = ({ user }: UserSession, id: number): OpenUpload => {
    const upload = uploads.find(id)
    if (upload?.row.owner_id !== user.id) throw new Refused(FAILURES.no_upload)
    return upload
  }

  const append = async (session: UserSession, { upload: id, offset, data }: ValuesOf<typeof UploadChunk>) => {
    await rate.take(session.user.id, data.length)
    const { row, part } = own(session, id)
    if (offset !== part.size) return { offset: part.size }
    if (offset + data.length > row.size) throw new Refused('invalid_value', `the file has only ${row.size} bytes`)
    try {
      await part.append(data)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw new Refused(FAILURES.no_space)
      throw error
    }
    return { offset: part.size }
  }

  app.handle(
    UploadChunk,
    (session, values) =>
      window.within(session, () => {
        own(session, values.upload)
        return changes.run(values.upload, () => append(session, values))
      }),
    { rated: 'bulk' },
  )
}

function handleFinish({ app, db, partFiles, uploads, contents, changes, scanning, previews }: Parts) {
  const stateOfNew = scanning === undefined ? FILE_STATE.ready : FILE_STATE.held
  const finish = async (row: FileRow, { sha256, keepMetadata }: ValuesOf<typeof FinishUpload>) => {
    const { part } = await uploads.open(row)
    if (part.size !== row.size)
      throw new Refused(FAILURES.file_incomplete, `${part.size} of ${row.size} bytes have arrived; send the others`)
    const hash = await part.hash()
    if (!hash.equals(sha256)) {
      await part.clear()
      throw new Refused(FAILURES.file_differs)
    }
    const uploaded = { path: partFiles.path(row.part), content: hash.toString('hex'), size: row.size }
    const derived = (suffix: string) => partFiles.path(row.part, suffix)
    const { path, preview, ...result } = await processed(uploaded, { previews, derived, keepMetadata })
    const keys = preview === undefined ? [result.content] : [result.content, preview.content]
    await contents.using(keys, async () => {
      await contents.put(result.content, path)
      if (preview !== undefined) await contents.put(preview.content, preview.path)
      const ofPreview = { preview: preview?.content ?? '', preview_size: preview?.size ?? 0 }
      const finished = { ...result, ...ofPreview, state: stateOfNew }
      // Deleted or expired meanwhile: the sweep deletes the content.
      if (!(await finishUpload(db, row.id, finished, app.clock.time()))) throw new Refused(FAILURES.no_upload)
    })
    await uploads.close(row.id)
    await partFiles.remove(row.part)
    scanning?.start()
  }

  app.handle(
    FinishUpload,
    ({ user }, values) =>
      changes.run(values.upload, async () => {
        const { upload: id } = values
        const row = await findFile(db, id)
        if (row?.owner_id !== user.id) throw new Refused(FAILURES.no_upload)
        if (row.state === FILE_STATE.uploading) await finish(row, values)
        const finished = await findFile(db, id)
        if (finished === undefined) throw new Refused(FAILURES.no_upload)
        return infoOf(finished, user.id)
      }),
    { pipelined: true },
  )
}

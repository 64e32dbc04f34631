import { KeyedQueue, Refused, type UserSession, type ValuesOf } from '../../core/index.ts'
import { FILE_STATE, type FileRow, factsOf, findFileFacts, readableFile, useFile } from '../../db/index.ts'
import { FAILURES as MESSAGE_FAILURES } from '../messages/failures.ts'
import { Drains } from './drains.ts'
import { FAILURES } from './failures.ts'
import { MAX_CHUNK } from './fields.ts'
import { infoOf } from './file-info.ts'
import { QueryFile, ReadFile } from './messages.ts'
import type { Parts } from './parts.ts'

const HELD_RETRY_MS = 1000

/** A file that the user may read now. @throws Refused `no_file`, also for one that does not exist */
export async function readable({ db }: Parts, { user }: UserSession, id: number): Promise<FileRow> {
  const row = await readableFile(db, user.id, id)
  if (row === undefined) throw new Refused(MESSAGE_FAILURES.no_file)
  return row
}

export function handleReading(parts: Parts) {
  const { app, limits, log, rate, contents, window } = parts
  const drains = new Drains(app)
  /** One read after another: what waits for the peer is one part of a file. */
  const reads = new KeyedQueue<UserSession>()
  const most = Math.min(MAX_CHUNK, limits.fileBurst)

  const read = async (session: UserSession, { file: id, offset, length, variant }: ValuesOf<typeof ReadFile>) => {
    await drains.writable(session)
    const row = await readable(parts, session, id)
    if (row.state === FILE_STATE.held) throw new Refused(FAILURES.file_held, undefined, { retryAfter: HELD_RETRY_MS })
    const [key, size] = variant === 'preview' ? [row.preview, row.preview_size] : [row.content, row.size]
    if (key === '') throw new Refused(MESSAGE_FAILURES.no_file, 'the file has no preview')
    const wanted = Math.max(0, Math.min(length || most, most, size - offset))
    if (wanted === 0) return { size, data: Buffer.alloc(0) }
    await rate.take(session.user.id, wanted)
    const data = await contents.read(key, offset, wanted)
    if (data !== undefined) return { size, data }
    log.error({ file: id, content: key }, 'the content of a file is missing in the store')
    throw new Refused(MESSAGE_FAILURES.no_file)
  }

  app.handle(
    ReadFile,
    (session, values) => window.within(session, () => reads.run(session, () => read(session, values))),
    { rated: false },
  )

  app.handle(QueryFile, async (session, { file }) => infoOf(await readable(parts, session, file), session.user.id))
}

/** Gives files to messages. */
export function provideFiles(parts: Parts) {
  const { app, db, conversations, attaching } = parts
  conversations.fileSource = {
    take: async (session, id) => {
      attaching.add(id)
      try {
        const row = await readable(parts, session, id)
        // The present sweep, if there is one, does not take it either.
        if (!(await useFile(db, id, app.clock.time()))) throw new Refused(MESSAGE_FAILURES.no_file)
        return factsOf(row)
      } catch (error) {
        attaching.remove(id)
        throw error
      }
    },
    release: (id) => attaching.remove(id),
    facts: (id) => findFileFacts(db, id),
  }
  app.onStop(() => {
    conversations.fileSource = undefined
  })
}

import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { definePlugin, KeyedQueue } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { ByteRate } from './byte-rate.ts'
import { Contents } from './contents.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import * as messages from './messages.ts'
import { OpenUploads } from './open-uploads.ts'
import { PartFiles } from './part-files.ts'
import { handleQueries } from './queries.ts'
import { handleReading, provideFiles } from './reading.ts'
import { SessionWindow } from './session-window.ts'
import { FolderStore } from './store/folder-store.ts'
import { handleUploading } from './uploading.ts'

/** Interval of the search for uploads that nobody goes on with. */
const IDLE_CHECK_MS = 30_000

/** Files that messages carry. */
export const files = definePlugin({
  name: 'files',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages, groups },
  options: z.strictObject({
    /** Folder of the contents. If left out, a temporary one, which is deleted when the server stops. */
    folder: z.string().optional(),
  }),
  setup(app, { options, needs, limits, log, db }) {
    const folder = options.folder ?? join(tmpdir(), `chatctl-files-${randomBytes(16).toString('hex')}`)
    if (options.folder === undefined) app.onStop(() => rm(folder, { recursive: true, force: true }))
    const partFiles = new PartFiles(join(folder, '.part'))
    const uploads = new OpenUploads(partFiles, app.clock)
    const changes = new KeyedQueue<number>()
    app.onStop(() => uploads.closeAll())
    app.every(IDLE_CHECK_MS, () => {
      for (const id of uploads.idle()) void changes.run(id, () => uploads.close(id))
    })
    const parts = {
      ...{ app, db, limits, log, partFiles, uploads, changes },
      accounts: needs.accounts,
      groups: needs.groups,
      conversations: needs.messages,
      contents: new Contents(new FolderStore(folder)),
      rate: new ByteRate(limits, app.clock),
      window: new SessionWindow(limits.fileWindow),
    }
    for (const handle of [handleUploading, handleReading, handleQueries, provideFiles]) handle(parts)
  },
})

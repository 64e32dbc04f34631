import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { definePlugin, KeyedQueue, ServerStarted } from '../../core/index.ts'
import { accounts } from '../accounts/index.ts'
import { groups } from '../groups/index.ts'
import { privateMessages } from '../messages/index.ts'
import { ByteRate } from './byte-rate.ts'
import { Contents } from './contents.ts'
import { FAILURES } from './failures.ts'
import { LIMITS } from './limits.ts'
import { handleMaintenance } from './maintenance.ts'
import * as messages from './messages.ts'
import { OpenUploads } from './open-uploads.ts'
import { PartFiles } from './part-files.ts'
import type { Parts } from './parts.ts'
import { Previews } from './pictures/index.ts'
import { handleQueries } from './queries.ts'
import { handleReading, provideFiles } from './reading.ts'
import { Scanning } from './scanning.ts'
import { SessionWindow } from './session-window.ts'
import { openStore } from './store/open-store.ts'
import { Sweep } from './sweep.ts'
import { handleUploading } from './uploading.ts'
import { UseCounts } from './use-counts.ts'

export { FileScanned } from './scanning.ts'
export { FilesSwept, type Swept } from './sweep.ts'

/** Interval of the search for uploads that nobody goes on with. */
const IDLE_CHECK_MS = 600_000

const days = z.number().int().min(1).optional()

/** Files that messages carry. */
export const files = definePlugin({
  name: 'files',
  messages,
  failures: FAILURES,
  limits: LIMITS,
  needs: { accounts, messages: privateMessages, groups },
  options: z.strictObject({
    /** Folder of unfinished uploads, and of the contents. If left out, a temporary one, deleted when the server stops. */
    folder: z.string().min(1).optional(),
    /** Another place of the contents: a folder, or `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`. */
    store: z.string().min(1).optional(),
    /** Credentials of a store at `s3://`. */
    s3: z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() }).optional(),
    /** Program and arguments that judge a file: they read it from standard input and exit with 0, clean, or 1. */
    scan: z.array(z.string()).min(1).optional(),
    /** Days that files of messages are kept; for ever if left out. */
    retention: z.strictObject({ private: days, group: days }).default({}),
  }),
  setup(app, { options, needs, limits, log, db }) {
    const folder = options.folder ?? join(tmpdir(), `chatctl-files-${randomBytes(16).toString('hex')}`)
    if (options.folder === undefined) app.onStop(() => rm(folder, { recursive: true, force: true }))
    const partFiles = new PartFiles(join(folder, '.part'))
    const uploads = new OpenUploads(partFiles, app.clock)
    const changes = new KeyedQueue<number>()
    app.onStop(() => uploads.closeAll())
    const previews = new Previews({ clock: app.clock, log })
    app.onStop(() => previews.close())
    app.every(IDLE_CHECK_MS, () => {
      for (const id of uploads.idle()) void changes.run(id, () => uploads.close(id))
    })
    const unscanned: Parts = {
      ...{ app, db, limits, log, partFiles, uploads, changes },
      accounts: needs.accounts,
      groups: needs.groups,
      conversations: needs.messages,
      contents: new Contents(openStore(options.store ?? folder, options.s3), log),
      rate: new ByteRate(limits, app.clock),
      previews,
      window: new SessionWindow(limits.fileWindow),
      attaching: new UseCounts<number>(),
      scanning: undefined,
    }
    const scanning = options.scan && new Scanning(unscanned, options.scan)
    // Files that were on hold when the server stopped.
    if (scanning !== undefined) app.on(ServerStarted, () => scanning.start())
    const parts = { ...unscanned, scanning }
    for (const handle of [handleUploading, handleReading, handleQueries, provideFiles]) handle(parts)
    handleMaintenance(parts, new Sweep(parts, options.retention))
  },
})

import type { Knex } from 'knex'
import type { Logger } from 'pino'
import type { App, Context, KeyedQueue } from '../../core/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { groups } from '../groups/index.ts'
import type { privateMessages } from '../messages/index.ts'
import type { ByteRate } from './byte-rate.ts'
import type { Contents } from './contents.ts'
import type { FilesLimits } from './limits.ts'
import type { OpenUploads } from './open-uploads.ts'
import type { PartFiles } from './part-files.ts'
import type { Previews } from './pictures/index.ts'
import type { SessionWindow } from './session-window.ts'
import type { UseCounts } from './use-counts.ts'

type Needs = Context<undefined, { readonly messages: typeof privateMessages; readonly groups: typeof groups }>['needs']

/** Shared by the steps of the plugin's setup. */
export interface Parts {
  readonly app: App
  readonly db: Knex
  readonly limits: FilesLimits
  readonly log: Logger
  readonly accounts: Accounts
  readonly groups: Needs['groups']
  readonly conversations: Needs['messages']
  readonly partFiles: PartFiles
  readonly uploads: OpenUploads
  readonly rate: ByteRate
  readonly contents: Contents
  /** Undefined if files are not scanned. */
  readonly scanning: { start(): void } | undefined
  /** Files of messages that are being stored. */
  readonly attaching: UseCounts<number>
  readonly window: SessionWindow
  readonly previews: Previews
  /** Work on uploads and deletions, by file. */
  readonly changes: KeyedQueue<number>
}

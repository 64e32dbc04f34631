import type { UserSession } from '../../core/index.ts'
import type { FileFacts } from '../../db/index.ts'

/** Where the files of messages come from: the plugin `files`. */
export interface FileSource {
  /** The facts of a file for a message; it is not deleted before `release`. @throws Refused `no_file` */
  take(session: UserSession, id: number): Promise<FileFacts>
  /** The message is stored, or is not going to be. Once for each `take` that has resolved. */
  release(id: number): void
  /** The facts of a file, also of one that was deleted. */
  facts(id: number): Promise<FileFacts | undefined>
}

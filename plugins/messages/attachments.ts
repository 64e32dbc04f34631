import { Refused, type UserSession } from '../../core/index.ts'
import { type FileFacts, hasClientId, NO_FILE } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import { fileCaption } from './file-caption.ts'
import type { Parts } from './parts.ts'

interface Carrier {
  readonly text: string
  /** Id of the file; 0: none. */
  readonly file: number
  readonly clientId: string
}

/** Text and file of a message as they are stored. */
export interface Attached {
  readonly text: string
  readonly file: FileFacts
  /** To be called when the message is stored, or is not going to be. */
  release(): void
}

const nothing = () => {}

/** Files of messages to be sent. */
export class Attachments {
  readonly #parts: Pick<Parts, 'db' | 'conversations'>

  constructor(parts: Pick<Parts, 'db' | 'conversations'>) {
    this.#parts = parts
  }

  /** @throws Refused `no_file`, as for an unknown file, if the sender may not read it */
  async take(session: UserSession, { text, file: id, clientId }: Carrier): Promise<Attached> {
    if (id === 0) return { text, file: NO_FILE, release: nothing }
    const { file, release } = await this.#factsOf(session, id, clientId)
    return { text: text || fileCaption(file), file, release }
  }

  async #factsOf(session: UserSession, id: number, clientId: string): Promise<Omit<Attached, 'text'>> {
    const { db, conversations } = this.#parts
    const source = conversations.fileSource
    if (source === undefined) throw new Refused(FAILURES.no_file)
    try {
      return { file: await source.take(session, id), release: () => source.release(id) }
    } catch (error) {
      if (!(error instanceof Refused) || clientId === '') throw error
      // A repeat of a stored message gets the first answer, even if the file was deleted since [D-2].
      await conversations.postsSettled()
      const file = (await hasClientId(db, session.user.id, clientId)) ? await source.facts(id) : undefined
      if (file === undefined) throw error
      return { file, release: nothing }
    }
  }
}

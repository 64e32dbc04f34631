import { lstat, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { safeFileName } from '../../client/file-name.ts'
import type { ChatMessage, Client, MessageFile } from '../../client/index.ts'
import { refusalOf } from '../errors/refusal.ts'
import { pauseOf } from '../errors/transient.ts'
import type { Output } from '../output/output.ts'
import { saveFile } from './saving.ts'

/** A message whose file has been saved. */
export interface SavedMessage extends ChatMessage {
  readonly file?: MessageFile & { readonly saved?: string }
}

/** Saves the file of a message, and adds its path. */
export type SaveFile = (client: Client, message: ChatMessage, signal: AbortSignal) => Promise<SavedMessage>

/** Saves the files of messages in a folder, as `ID-NAME`: the id keeps them apart, and a repeat finds its own. */
export class Arrivals {
  readonly #folder: string
  readonly #output: Output

  private constructor(folder: string, output: Output) {
    this.#folder = folder
    this.#output = output
  }

  /** @param folder made if it is missing */
  static async in(folder: string, output: Output): Promise<Arrivals> {
    await mkdir(folder, { recursive: true })
    return new Arrivals(folder, output)
  }

  /** The message, with the path of its file. A file that is gone is reported, and the message goes on without. */
  async save(client: Client, message: ChatMessage, signal: AbortSignal): Promise<SavedMessage> {
    const { file } = message
    if (file === undefined) return message
    const path = join(this.#folder, `${file.id}-${safeFileName(file.name)}`)
    if (!(await isSaved(path)) && !(await this.#download(client, file, path, signal))) return message
    return { ...message, file: { ...file, saved: path } }
  }

  async #download(client: Client, { id, name }: MessageFile, path: string, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      try {
        await saveFile(client, await client.fileInfo(id, { signal }), path, { force: false, signal })
        return true
      } catch (error) {
        // The file may still be scanned.
        const pause = pauseOf(error)
        const refusal = refusalOf(error)
        if (pause === undefined && refusal === undefined) throw error
        if (pause === undefined) {
          this.#output.note(`file ${id} (${name}) was not saved: ${refusal?.message}`)
          return false
        }
        await sleep(pause, undefined, { signal })
      }
    }
  }
}

/** A file has its name when it is complete. */
const isSaved = (path: string) =>
  lstat(path).then(
    (found) => found.isFile(),
    () => false,
  )

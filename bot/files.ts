import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { safeFileName } from '../client/file-name.ts'
import type { Client, DownloadOptions, MessageFile, UploadSource } from '../client/index.ts'
import { isThere, saveFile } from '../client/saving.ts'
import { spool } from '../client/spooling.ts'

/** Content of a file to send: a path, the bytes, or a stream of them. */
export type FileSource = string | Uint8Array | AsyncIterable<Uint8Array>

export interface FileOptions {
  /** Name that others see. Default: that of the path; needed for bytes and streams. */
  readonly name?: string
  /** Text of the message. Default: none. */
  readonly text?: string
  /** Pictures keep their metadata, such as the place where they were taken. Default false. */
  readonly keepMetadata?: boolean
}

export interface StreamOptions extends Pick<DownloadOptions, 'variant' | 'offset'> {}

/** The file of a message. */
export class ReceivedFile implements MessageFile {
  readonly id: number
  readonly name: string
  readonly size: number
  readonly type: string
  readonly preview: boolean
  readonly width?: number
  readonly height?: number
  readonly thumbhash?: string
  readonly #client: Client
  readonly #signal: AbortSignal

  constructor({ id, name, size, type, preview, ...picture }: MessageFile, client: Client, signal: AbortSignal) {
    this.id = id
    this.name = name
    this.size = size
    this.type = type
    this.preview = preview
    Object.assign(this, picture)
    this.#client = client
    this.#signal = signal
  }

  /** The content, or with `{ variant: 'preview' }` the small picture, as it arrives. @throws RefusedByServer `no_file` */
  stream(options: StreamOptions = {}): AsyncGenerator<Buffer> {
    return this.#client.download(this.id, { ...options, signal: this.#signal })
  }

  /**
   * Saves it in a folder, which is made if it is missing, as `ID-NAME`: no name leads out of the folder. A second run of
   * the handler finds the file, or goes on with it.
   * @returns its path
   */
  async save(folder: string): Promise<string> {
    await mkdir(folder, { recursive: true })
    const path = join(folder, `${this.id}-${safeFileName(this.name)}`)
    // It has its name only when it is complete.
    if (await isThere(path)) return path
    const signal = this.#signal
    await saveFile(this.#client, await this.#client.fileInfo(this.id, { signal }), path, { signal })
    return path
  }
}

/** Content that can be read again from its beginning. */
export interface Openable {
  readonly name: string
  readonly size: number
  open(): UploadSource
  close(): Promise<void>
}

/** @throws TypeError for bytes or a stream without a name */
export async function openSource(source: FileSource, given: string | undefined, client: Client): Promise<Openable> {
  const name = given ?? (typeof source === 'string' ? basename(source) : undefined)
  if (name === undefined) throw new TypeError('a file that is no path needs a name: { name }')
  const close = async () => {}
  if (typeof source === 'string')
    return { name, size: (await stat(source)).size, open: () => createReadStream(source), close }
  if (source instanceof Uint8Array) return { name, size: source.length, open: () => source, close }
  const { path, size, remove } = await spool(source, { maxBytes: (await client.fileUsage()).maxSize })
  return { name, size, open: () => createReadStream(path), close: remove }
}

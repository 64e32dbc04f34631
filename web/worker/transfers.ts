import type { Client } from '../../client/client.ts'
import { ClientError } from '../../client/errors.ts'
import type { StoredFile } from '../../client/file-transfers.ts'
import { BeginUpload } from '../../plugins/files/messages.ts'
import type { AttachedFile, NewFile } from '../shared/model.ts'
import type { ContentQuery, WorkerEvent } from '../shared/protocol.ts'

/** Bytes of a download that are held as pieces; more are handed to the browser, which may put them on the disk. */
const MAX_PIECES_BYTES = 4 * 1024 * 1024
/** Least change of a share that is shown. */
const STEP = 0.01

/** What the progress of a download is about, as in ui/contents.ts. */
export const contentKey = (file: number) => `file ${file}`

const uploadId = (clientId: string) => `file-${clientId}`

/** Uploads and downloads that are running. */
export class Transfers {
  readonly #client: Client
  readonly #emit: (event: WorkerEvent) => void
  readonly #running = new Map<string, AbortController>()

  constructor(client: Client, emit: (event: WorkerEvent) => void) {
    this.#client = client
    this.#emit = emit
  }

  /** Uploads the file of a message, or the rest of it. @throws ClientError */
  upload(clientId: string, { name, content, keepMetadata }: NewFile, end: AbortSignal): Promise<AttachedFile> {
    return this.#run(clientId, async (signal, onProgress) => {
      const options = { name, keepMetadata, clientId: uploadId(clientId), onProgress }
      return toAttached(await this.#client.upload(content, { ...options, signal: AbortSignal.any([signal, end]) }))
    })
  }

  /** Ends an upload, and frees the space that the server has reserved for it. */
  async cancelUpload(clientId: string, { name, content: { size } }: NewFile) {
    this.stop(clientId)
    try {
      const { upload } = await this.#client.request(BeginUpload, { name, size, clientId: uploadId(clientId) })
      await this.#client.deleteFile(upload)
    } catch (error) {
      // Without a connection the upload expires a day later.
      if (!(error instanceof ClientError)) throw error
    }
  }

  content({ file, variant }: ContentQuery): Promise<Blob> {
    const of = variant === 'original' ? contentKey(file) : `preview ${file}`
    return this.#run(of, async (signal, onProgress) => {
      const parts: Blob[] = []
      let pieces: Uint8Array<ArrayBuffer>[] = []
      let bytes = 0
      for await (const piece of this.#client.download(file, { variant, signal, onProgress })) {
        pieces.push(new Uint8Array(piece))
        bytes += piece.length
        if (bytes < MAX_PIECES_BYTES) continue
        parts.push(new Blob(pieces))
        pieces = []
        bytes = 0
      }
      return new Blob([...parts, ...pieces])
    })
  }

  stop(of: string) {
    this.#running.get(of)?.abort()
  }

  async #run<T>(
    of: string,
    work: (signal: AbortSignal, onProgress: (progress: { done: number; size: number }) => void) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController()
    this.#running.set(of, controller)
    let shown = -STEP
    const show = (share: number) => {
      shown = share
      this.#emit({ type: 'progress', of, share })
    }
    try {
      return await work(controller.signal, ({ done, size }) => {
        const share = done / size
        if (share >= shown + STEP) show(share)
      })
    } finally {
      this.#running.delete(of)
      show(1)
    }
  }
}

const toAttached = ({ id, name, size, type, width, height, thumbhash, preview }: StoredFile): AttachedFile => ({
  ...{ id, name, size, type, width, height, thumbhash },
  preview: preview > 0,
})

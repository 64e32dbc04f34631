import { Buffer } from '#platform/runtime'
import { type ClientMessage, type InputOf, newClientId, type ReplyOf, type ValuesOf } from '../core/wire/index.ts'
import {
  BeginUpload,
  DeleteFile,
  type FileInfo,
  type FileList,
  type FileUsage,
  FinishUpload,
  QueryFile,
  QueryFiles,
  QueryUsage,
  ReadFile,
  type UploadBegun,
  UploadChunk,
} from '../plugins/files/messages.ts'
import { ClientError, RefusedByServer } from './errors.ts'
import type { RequestOptions } from './link.ts'
import { MessageChanges } from './message-changes.ts'
import { isRepeatable, sizeOf, UploadReader, type UploadSource } from './upload-source.ts'

/** A complete file on the server. */
export interface StoredFile {
  readonly id: number
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Media type, found in the bytes. */
  readonly type: string
  /** Pixels of a picture, as shown; 0 if it is none. */
  readonly width: number
  readonly height: number
  /** Base64 of the ThumbHash; empty for none. */
  readonly thumbhash: string
  /** Bytes of the preview; 0 for none. */
  readonly preview: number
  /** SHA-256 of the content, in hex digits. */
  readonly sha256: string
  /** Whether a scan must accept it before it can be read. */
  readonly held: boolean
  /** Whether this user has uploaded it. */
  readonly own: boolean
  readonly createdAt: Date
}

/** A file in a list. */
export interface ListedFile extends StoredFile {
  /** The message that carries it; undefined in the list of own files. */
  readonly message?: { readonly id: number; readonly from: string; readonly sentAt: Date }
}

export interface TransferProgress {
  /** Bytes that are through. */
  readonly done: number
  readonly size: number
}

interface TransferOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TransferProgress) => void
}

export interface UploadOptions extends TransferOptions {
  readonly name: string
  /** Bytes; needed for a stream. */
  readonly size?: number
  /** Idempotency key, at most 64 bytes: an interrupted upload is resumed with it, also by another process. */
  readonly clientId?: string
  /** Pictures keep their metadata, such as the place where they were taken. Default false. */
  readonly keepMetadata?: boolean
}

export interface DownloadOptions extends TransferOptions {
  /** Default `original`. */
  readonly variant?: 'original' | 'preview'
  /** First byte. Default 0. */
  readonly offset?: number
}

/** Requests for content in flight. */
const READS_AT_ONCE = 4
/** Time limit of one request for content, milliseconds: others are before it on a slow line. */
const CONTENT_TIMEOUT_MS = 60_000
/** The same of finishing an upload: the server flushes, examines and stores the whole file. */
const FINISH_TIMEOUT_MS = 120_000

/** Refusals after which an upload goes on: the server has restarted or lost bytes. */
const INTERRUPTIONS = ['no_upload', 'file_incomplete']

interface Upload extends ValuesOf<typeof UploadBegun> {
  readonly size: number
}

/** Uploads and downloads. They go on after a reconnect, and have no time limit but their signal. */
export class FileTransfers extends MessageChanges {
  /**
   * Uploads a file, for a message to carry; resolves when it is on disk. An interrupted one is resumed by a later call
   * with the same `clientId` and source.
   * @throws RefusedByServer `file_too_large`, `quota_exceeded`, `no_space`, `too_many`; RangeError if the size is wrong
   */
  async upload(source: UploadSource, options: UploadOptions): Promise<StoredFile> {
    const { name, size = sizeOf(source), clientId = newClientId(), keepMetadata = false, signal } = options
    if (size === undefined) throw new TypeError('upload(source, options): a stream needs its `size`')
    let reader = new UploadReader(source, size)
    try {
      for (;;) {
        const begun = await this.#ask(BeginUpload, { name, size, clientId }, signal)
        if (begun.offset < reader.start) {
          if (!isRepeatable(source)) throw new ClientError('lost', 'the server needs the file from its beginning')
          reader = new UploadReader(source, size)
        }
        try {
          await this.#sendContent(reader, { ...begun, size }, options)
          const values = { upload: begun.upload, sha256: await reader.digest(), keepMetadata }
          return toStoredFile(await this.#ask(FinishUpload, values, signal, FINISH_TIMEOUT_MS))
        } catch (error) {
          if (signal?.aborted || !isInterruption(error)) throw error
        }
      }
    } finally {
      await reader.close()
    }
  }

  /**
   * The content of a file, in order. A reader that stops taking it stops the transfer; `break` ends it.
   * @throws RefusedByServer `no_file`, `file_held`
   */
  async *download(file: number, options: DownloadOptions = {}): AsyncGenerator<Buffer> {
    const { variant = 'original', offset = 0, signal, onProgress } = options
    const read = (at: number) => this.#ask(ReadFile, { file, variant, offset: at }, signal, CONTENT_TIMEOUT_MS)
    const first = await read(offset)
    const { size } = first
    const step = first.data.length
    const replies = [Promise.resolve(first)]
    let next = offset + step
    for (let done = offset; done < size; ) {
      for (; replies.length < READS_AT_ONCE && next < size; next += step) replies.push(observed(read(next)))
      const data = (await (replies.shift() as (typeof replies)[number])).data as Buffer
      if (data.length < Math.min(step, size - done)) throw new ClientError('protocol', 'the server has sent too little')
      done += data.length
      onProgress?.({ done, size })
      yield data
    }
  }

  /** A file that this user may read. @throws RefusedByServer `no_file` */
  async fileInfo(file: number, options?: RequestOptions): Promise<StoredFile> {
    return toStoredFile(await this.request(QueryFile, { file }, options))
  }

  /**
   * The files of a conversation with a user or in a group, newest first, or all that this user has uploaded.
   * @param query.before `next` of the page before
   * @returns `next`: 0 if there are no more
   */
  async files(
    query: { with?: string; group?: string; before?: number; limit?: number } = {},
    options?: RequestOptions,
  ): Promise<{ next: number; files: ListedFile[] }> {
    const { next, files } = await this.request(QueryFiles, query, options)
    return { next, files: files.map(toListedFile) }
  }

  /** Deletes a file of this user, or cancels its upload. @throws RefusedByServer `no_file` */
  async deleteFile(file: number, options?: RequestOptions) {
    await this.request(DeleteFile, { file }, options)
  }

  /** The space that the files of this user take. */
  fileUsage(options?: RequestOptions): Promise<ValuesOf<typeof FileUsage>> {
    return this.request(QueryUsage, {}, options)
  }

  /** Sends what the server does not have, a few chunks at a time. */
  async #sendContent(reader: UploadReader, { upload, offset, chunk, window, size }: Upload, options: TransferOptions) {
    const { signal, onProgress } = options
    const replies: Promise<number>[] = []
    const send = async (at: number, data: Buffer) => {
      const limit = this.link.limit({ timeout: CONTENT_TIMEOUT_MS, ...(signal && { signal }) })
      const values = { upload, offset: at, data }
      const stored = await this.link.connection.request(UploadChunk, values, { signal: limit })
      // The server has lost bytes that it had.
      if (stored.offset < at + data.length) throw new ClientError('lost', 'the server expects an earlier part')
      return stored.offset
    }
    onProgress?.({ done: offset, size })
    let next = offset
    for (let done = offset; done < size; ) {
      while (replies.length < window && next < size) {
        const data = await reader.read(next, Math.min(chunk, size - next))
        replies.push(observed(send(next, data)))
        next += data.length
      }
      done = await (replies.shift() as Promise<number>)
      reader.release(done)
      onProgress?.({ done, size })
    }
  }

  /** Makes an idempotent request until it is answered. */
  #ask<M extends ClientMessage>(
    message: M,
    values: InputOf<M>,
    signal: AbortSignal | undefined,
    timeout?: number,
  ): Promise<ReplyOf<M>> {
    return this.link.retryUntilAnswered((standard) => {
      const limit = timeout === undefined ? standard : this.link.limit({ timeout, ...(signal && { signal }) })
      return this.link.connection.request(message, values, { signal: limit })
    }, signal)
  }
}

/** A promise that is awaited later: its rejection is not unhandled meanwhile. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

function isInterruption(error: unknown): boolean {
  if (error instanceof RefusedByServer) return INTERRUPTIONS.includes(error.failure)
  return error instanceof ClientError && (error.code === 'lost' || error.code === 'timed_out')
}

export function toStoredFile({ file, sha256, createdAt, ...facts }: ValuesOf<typeof FileInfo>): StoredFile {
  const hex = Buffer.from(sha256).toString('hex')
  return { id: file, ...facts, sha256: hex, createdAt: new Date(createdAt) }
}

function toListedFile({ message, from, sentAt, ...facts }: ValuesOf<typeof FileList>['files'][number]): ListedFile {
  const file = toStoredFile(facts)
  return message === 0 ? file : { ...file, message: { id: message, from, sentAt: new Date(sentAt) } }
}

/** Stored content. */
export interface BlobFacts {
  /** SHA-256 of the content, in hex digits. */
  readonly key: string
  readonly size: number
}

/** Content by its SHA-256. Knows nothing of files, users and databases. */
export interface BlobStore {
  /** Puts the content of a file, which stays, into the store. Durable and complete when it resolves; replaces the same content. */
  put(key: string, path: string): Promise<void>
  /** A part of the content, shorter only at its end; undefined if it is not in the store. */
  read(key: string, offset: number, length: number): Promise<Buffer | undefined>
  stat(key: string): Promise<BlobFacts | undefined>
  /** Does nothing if there is none. */
  delete(key: string): Promise<void>
  list(): AsyncIterable<BlobFacts>
}

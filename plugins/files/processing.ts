import type { FinishedFile } from '../../db/index.ts'

/** What an uploaded part becomes: the content to be stored, and what is known of it. */
export interface Processed extends Pick<FinishedFile, 'size' | 'type' | 'width' | 'height' | 'thumbhash'> {
  /** File with the content, and its SHA-256 in hex digits. */
  readonly path: string
  readonly content: string
}

/** @param hash of the part, in hex digits */
export async function processed(path: string, size: number, hash: string): Promise<Processed> {
  return { path, content: hash, size, type: 'application/octet-stream', width: 0, height: 0, thumbhash: '' }
}

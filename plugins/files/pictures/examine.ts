import { fileTypeFromBuffer } from 'file-type'
import { type Picture, readPicture } from './kind.ts'
import type { Source } from './source.ts'

export interface Examined {
  /** MIME type, from the bytes alone: neither the name of a file nor its sender's word counts. */
  readonly type: string
  /** The picture without its metadata; undefined for what is no picture. */
  readonly picture: Picture | undefined
}

const SAMPLE_BYTES = 4100
const UNKNOWN = 'application/octet-stream'

/** @throws PictureRefused for a broken picture, and one with metadata that cannot be removed */
export async function examine(source: Source): Promise<Examined> {
  const picture = await readPicture(source)
  return { type: picture?.type ?? (await typeOf(source)), picture }
}

/** The type of what is not shown as a picture, broken ones included. */
export async function typeOf(source: Source): Promise<string> {
  const sample = await source.read(0, SAMPLE_BYTES)
  const found = await fileTypeFromBuffer(sample)
  return found?.mime ?? (isText(sample) ? 'text/plain' : UNKNOWN)
}

function isText(sample: Uint8Array): boolean {
  if (sample.includes(0)) return false
  try {
    // A stream: the sample may end within a character.
    new TextDecoder('utf-8', { fatal: true }).decode(sample, { stream: true })
    return true
  } catch {
    return false
  }
}

import { createHash } from 'node:crypto'
import { type FileHandle, open, writeFile } from 'node:fs/promises'
import { Refused } from '../../core/index.ts'
import type { FinishedFile } from '../../db/index.ts'
import { FAILURES } from './failures.ts'
import {
  type Examined,
  examine,
  fileSource,
  PictureRefused,
  type Previews,
  rewritten,
  typeOf,
} from './pictures/index.ts'

/** Content to be stored: a file, and its SHA-256 in hex digits. */
interface Content {
  readonly path: string
  readonly content: string
  readonly size: number
}

/** What an uploaded part becomes: the content to be stored, and what is known of it. */
export interface Processed extends Content, Pick<FinishedFile, 'type' | 'width' | 'height' | 'thumbhash'> {
  readonly preview: Content | undefined
}

export interface Processing {
  readonly previews: Previews
  /** Path of another file that is made of the part. */
  readonly derived: (suffix: string) => string
  /** Whether pictures keep their metadata. */
  readonly keepMetadata: boolean
}

const HELP = 'send it with its metadata kept (`--keep-metadata`), which shows it nowhere'

/**
 * Finds the type of a part, removes the metadata of a picture, and makes its preview. Only a picture without metadata
 * that browsers may show has dimensions.
 * @throws Refused `picture_refused`
 */
export async function processed(part: Content, { previews, derived, keepMetadata }: Processing): Promise<Processed> {
  const file = await open(part.path)
  try {
    const { type, picture } = await examined(file, keepMetadata)
    const plain = { ...part, type, width: 0, height: 0, thumbhash: '', preview: undefined }
    if (picture === undefined) return plain
    const content = keepMetadata ? part : await strip(file, picture, derived('picture'))
    const made = await previews.make(content.path)
    const size = picture.inline && !keepMetadata ? { width: picture.width, height: picture.height } : {}
    if (made === undefined) return { ...plain, ...content, ...size }
    const preview = await store(made.preview, derived('preview'))
    return { ...plain, ...content, ...size, preview, thumbhash: Buffer.from(made.thumbhash).toString('base64') }
  } finally {
    await file.close()
  }
}

async function examined(file: FileHandle, keepMetadata: boolean): Promise<Examined> {
  const source = await fileSource(file)
  try {
    return await examine(source)
  } catch (error) {
    if (!(error instanceof PictureRefused)) throw error
    if (!keepMetadata) throw new Refused(FAILURES.picture_refused, `${error.message}; ${HELP}`)
    return { type: await typeOf(source), picture: undefined }
  }
}

/** Writes a picture without its metadata. */
async function strip(file: FileHandle, { pieces }: NonNullable<Examined['picture']>, path: string): Promise<Content> {
  const hash = createHash('sha256')
  async function* hashed(chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
  await writeFile(path, hashed(rewritten(await fileSource(file), pieces)), { mode: 0o600 })
  return { path, content: hash.digest('hex'), size: pieces.size }
}

async function store(bytes: Uint8Array, path: string): Promise<Content> {
  await writeFile(path, bytes, { mode: 0o600 })
  return { path, content: createHash('sha256').update(bytes).digest('hex'), size: bytes.length }
}

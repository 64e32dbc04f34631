/**
 * The child process that decodes pictures: its death is no matter. It has no environment, reads the one file that it is
 * told, and ends itself when it takes too much memory. It imports only what it may find missing.
 */

export interface PreviewJob {
  readonly path: string
  /** Longest side of the preview, pixels. */
  readonly side: number
  /** Pixels of a picture that is decoded. */
  readonly maxPixels: number
  /** Bytes of memory of this process. */
  readonly maxMemory: number
}

export interface Preview {
  /** A WebP, upright, in sRGB, without metadata. */
  readonly preview: Uint8Array
  /** Of the preview, pixels. */
  readonly width: number
  readonly height: number
  /** About 25 bytes, from which a client draws a blurred placeholder. */
  readonly thumbhash: Uint8Array
}

export type PreviewResult = Preview | { readonly missing: string } | { readonly failed: string }

const MEMORY_CHECK_MS = 20
/** Longest side of what a thumbhash is made of: the library takes no more. */
const HASH_SIDE = 100
const QUALITY = 75

/** Formats that are read; the last one is that of the preview, from memory. */
const LOADERS = ['JpegFile', 'PngFile', 'WebpFile', 'HeifFile', 'NsgifFile', 'WebpBuffer']

async function libraries() {
  const [{ default: sharp }, { rgbaToThumbHash }] = await Promise.all([import('sharp'), import('thumbhash')])
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: LOADERS.map((name) => `VipsForeignLoad${name}`) })
  return { sharp, rgbaToThumbHash }
}

async function makePreview({ path, side, maxPixels }: PreviewJob): Promise<PreviewResult> {
  const loaded = await libraries().catch((error: unknown) => ({ missing: String(error) }))
  if ('missing' in loaded) return loaded
  const { sharp, rgbaToThumbHash } = loaded
  try {
    const { data, info } = await sharp(path, { limitInputPixels: maxPixels })
      .autoOrient()
      .resize(side, side, { fit: 'inside', withoutEnlargement: true })
      .toColourspace('srgb')
      .webp({ quality: QUALITY })
      .toBuffer({ resolveWithObject: true })
    const small = await sharp(data)
      .resize(HASH_SIDE, HASH_SIDE, { fit: 'inside', withoutEnlargement: true })
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    const thumbhash = rgbaToThumbHash(small.info.width, small.info.height, small.data)
    return { preview: data, width: info.width, height: info.height, thumbhash }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

function endAbove(maxMemory: number) {
  // SIGKILL: the threads that decode do not let the process exit before they are done.
  if (process.memoryUsage.rss() > maxMemory) process.kill(process.pid, 'SIGKILL')
}

async function run(job: PreviewJob) {
  const check = setInterval(endAbove, MEMORY_CHECK_MS, job.maxMemory)
  endAbove(job.maxMemory)
  const result = await makePreview(job)
  clearInterval(check)
  process.send?.(result)
}

process.on('message', (job: PreviewJob) => void run(job))
// A job that hangs would keep the process alive without a server.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
// Ctrl-C reaches the whole process group: the server, which still drains, ends this process.
process.on('SIGINT', () => {})

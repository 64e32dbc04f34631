import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A stream that was collected in a temporary file, since an upload begins with its size. For Node only. */
export interface Spooled {
  readonly path: string
  readonly size: number
  /** Removes it. */
  remove(): Promise<void>
}

/** @throws RangeError when the stream has more than `maxBytes` */
export async function spool(
  stream: AsyncIterable<Uint8Array>,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<Spooled> {
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  const path = join(folder, 'content')
  let size = 0
  async function* bounded() {
    for await (const chunk of stream) {
      size += chunk.length
      if (size > maxBytes) throw new RangeError(`the server takes no file of more than ${maxBytes} bytes`)
      yield chunk
    }
  }
  try {
    await pipeline(bounded, createWriteStream(path, { mode: 0o600 }), { ...(signal && { signal }) })
  } catch (error) {
    await remove()
    throw error
  }
  return { path, size, remove }
}

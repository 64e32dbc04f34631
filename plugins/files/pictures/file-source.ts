import type { FileHandle } from 'node:fs/promises'
import type { Source } from './source.ts'

/** The bytes of an open file. */
export async function fileSource(file: FileHandle): Promise<Source> {
  const { size } = await file.stat()
  return {
    size,
    read: async (at, length) => {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, at)
      return buffer.subarray(0, bytesRead)
    },
  }
}

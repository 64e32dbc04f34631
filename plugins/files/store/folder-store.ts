import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobFacts, BlobStore } from './blob-store.ts'

/** Digits of a key that name its folder. */
const PREFIX = 2
const KEY = /^[0-9a-f]{64}$/

/** Content in files of a folder: `ab/cdef…` for the key `abcdef…`. */
export class FolderStore implements BlobStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async put(key: string, path: string) {
    const target = this.#path(key)
    const folder = dirname(target)
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await sync(this.#folder)
    await sync(path)
    await rename(path, target)
    await sync(folder)
  }

  async read(key: string, offset: number, length: number): Promise<Buffer | undefined> {
    const file = await absentAsUndefined(open(this.#path(key), 'r'))
    if (file === undefined) return undefined
    try {
      const bytes = Buffer.allocUnsafe(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return bytes.subarray(0, filled)
    } finally {
      await file.close()
    }
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    const found = await absentAsUndefined(stat(this.#path(key)))
    return found && { key, size: found.size }
  }

  async delete(key: string) {
    await rm(this.#path(key), { force: true })
  }

  async *list(): AsyncGenerator<BlobFacts> {
    const root = await absentAsUndefined(opendir(this.#folder))
    if (root === undefined) return
    for await (const { name } of root) {
      if (name.length !== PREFIX) continue
      for await (const entry of await opendir(join(this.#folder, name))) {
        const found = KEY.test(name + entry.name) ? await this.stat(name + entry.name) : undefined
        if (found !== undefined) yield found
      }
    }
  }

  #path(key: string): string {
    if (!KEY.test(key)) throw new Error(`"${key}" is no key of the store`)
    return join(this.#folder, key.slice(0, PREFIX), key.slice(PREFIX))
  }
}

async function absentAsUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Makes the content of a file, or the names in a folder, durable. */
async function sync(path: string) {
  const opened = await open(path, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

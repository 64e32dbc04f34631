import { randomBytes } from 'node:crypto'
import { copyFile, link, mkdir, open, opendir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobFacts, BlobStore } from './blob-store.ts'

/** Digits of a key that name its folder. */
const PREFIX = 2
/** Folder of content that does not have its name yet. */
const NEW = '.new'
/** A file system without links, or another one than that of the store. */
const NO_LINKS = ['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']
const KEY = /^[0-9a-f]{64}$/

/** Content in files of a folder: `ab/cdef…` for the key `abcdef…`. */
export class FolderStore implements BlobStore {
  readonly #folder: string
  /** Names in the folder NEW that are in use. */
  readonly #incoming = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async put(key: string, path: string) {
    const target = this.#path(key)
    const folder = dirname(target)
    for (const needed of [folder, join(this.#folder, NEW)])
      if ((await mkdir(needed, { recursive: true, mode: 0o700 })) !== undefined) await sync(this.#folder)
    await sync(path)
    const name = `${key}-${randomBytes(8).toString('hex')}`
    const fresh = join(this.#folder, NEW, name)
    this.#incoming.add(name)
    try {
      await linkOrCopy(path, fresh)
      await rename(fresh, target)
    } finally {
      // A rename between two names of one file does nothing.
      await rm(fresh, { force: true })
      this.#incoming.delete(name)
    }
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
    await this.#removeRests()
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

  /** Removes what a crash has left of `put`. */
  async #removeRests() {
    const names = (await absentAsUndefined(readdir(join(this.#folder, NEW)))) ?? []
    for (const name of names) if (!this.#incoming.has(name)) await rm(join(this.#folder, NEW, name), { force: true })
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

/** The original stays: it is needed again if the row cannot be stored. */
async function linkOrCopy(from: string, to: string) {
  try {
    await link(from, to)
  } catch (error) {
    if (!NO_LINKS.includes(String((error as NodeJS.ErrnoException).code))) throw error
    await copyFile(from, to)
    await sync(to)
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

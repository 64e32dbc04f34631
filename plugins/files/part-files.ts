import { createHash, type Hash, randomBytes } from 'node:crypto'
import { constants, type FileHandle, mkdir, open, readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes that are hashed in one turn of the event loop, about 1 ms. */
const HASH_CHUNK = 512 * 1024

/** Ends the name of what is derived from a part. */
const DERIVED = '.'

/** The folder in which the bytes of uploads are collected. */
export class PartFiles {
  readonly #folder: string
  #made: Promise<unknown> | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** A name that no other part has. */
  static newName(): string {
    return randomBytes(16).toString('hex')
  }

  /** @param suffix for another file that is made of the part */
  path(name: string, suffix = ''): string {
    return join(this.#folder, suffix === '' ? name : `${name}${DERIVED}${suffix}`)
  }

  /** Opens a part, made if it is missing. */
  async open(name: string): Promise<Part> {
    await this.#make()
    const file = await open(this.path(name), constants.O_RDWR | constants.O_CREAT, 0o600)
    return new Part(file, (await file.stat()).size)
  }

  /** Removes a part and all that was made of it. Does nothing if there is none. */
  async remove(name: string) {
    for (const file of await this.#names())
      if (file === name || file.startsWith(name + DERIVED)) await rm(this.path(file), { force: true })
  }

  /** Names of the parts that there are. */
  async names(): Promise<Set<string>> {
    return new Set((await this.#names()).map((file) => file.split(DERIVED)[0] as string))
  }

  /** Bytes that are free on the disk. */
  async freeBytes(): Promise<number> {
    await this.#make()
    const { bavail, bsize } = await statfs(this.#folder)
    return bavail * bsize
  }

  async #names(): Promise<string[]> {
    await this.#make()
    return readdir(this.#folder)
  }

  #make(): Promise<unknown> {
    this.#made ??= mkdir(this.#folder, { recursive: true, mode: 0o700 })
    return this.#made
  }
}

/** An open part. */
export class Part {
  readonly #file: FileHandle
  #size: number
  /** Of all bytes so far; undefined if the part was there before. */
  #hash: Hash | undefined

  constructor(file: FileHandle, size: number) {
    this.#file = file
    this.#size = size
    this.#hash = size === 0 ? createHash('sha256') : undefined
  }

  get size(): number {
    return this.#size
  }

  async append(data: Uint8Array) {
    let written = 0
    while (written < data.length) {
      const { bytesWritten } = await this.#file.write(data, written, data.length - written, this.#size + written)
      written += bytesWritten
    }
    this.#size += data.length
    this.#hash?.update(data)
  }

  /** The SHA-256 of the bytes. */
  async hash(): Promise<Buffer> {
    if (this.#hash !== undefined) return this.#hash.copy().digest()
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(HASH_CHUNK)
    for (let at = 0; at < this.#size; ) {
      const { bytesRead } = await this.#file.read(buffer, 0, HASH_CHUNK, at)
      if (bytesRead === 0) throw new Error('a part has become shorter')
      hash.update(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
    return hash.digest()
  }

  /** Drops all bytes. */
  async clear() {
    await this.#file.truncate(0)
    this.#size = 0
    this.#hash = createHash('sha256')
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

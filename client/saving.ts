import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, open, rename, rm } from 'node:fs/promises'
import type { Client } from './client.ts'
import { ClientError } from './errors.ts'
import type { StoredFile, TransferProgress } from './file-transfers.ts'

/** Downloads into files, for Node only: not a part of what browsers load. */

export interface SaveOptions {
  /** Whether a file of that name is replaced. Default false. */
  readonly force?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: TransferProgress) => void
}

/**
 * Saves a file under a path. Its bytes are collected in `PATH.ID.part`: a second call goes on there. The file appears
 * under its own name when it is complete, has its SHA-256 and is on disk.
 * @throws Error with the code `EEXIST` if there is a file of that name, RefusedByServer `no_file`, `file_held`
 */
export async function saveFile(client: Client, file: StoredFile, path: string, options: SaveOptions = {}) {
  const { force = false } = options
  if (!force && (await isThere(path))) throw existsAlready(path)
  const part = `${path}.${file.id}.part`
  const handle = await open(part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o666)
  try {
    await fill(client, file, { ...options, handle })
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (force) await rename(part, path)
  else await placeAside(part, path)
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

const existsAlready = (path: string) => Object.assign(new Error(`there is a file ${path} already`), { code: 'EEXIST' })

interface Filling extends SaveOptions {
  readonly handle: FileHandle
}

/** Downloads what the part lacks. A part that holds other content is begun anew. */
async function fill(client: Client, file: StoredFile, options: Filling) {
  const { handle } = options
  const { size } = await handle.stat()
  if (size > 0 && size <= file.size) {
    const hash = createHash('sha256')
    for await (const chunk of handle.createReadStream({ start: 0, end: size - 1, autoClose: false })) hash.update(chunk)
    if ((await download(client, file, size, hash, options)) === file.sha256) return
  }
  await handle.truncate(0)
  if ((await download(client, file, 0, createHash('sha256'), options)) === file.sha256) return
  await handle.truncate(0)
  throw new ClientError('protocol', `file ${file.id} arrived with another SHA-256 than its own`)
}

/** @returns the SHA-256 of the whole, in hex digits */
async function download(client: Client, file: StoredFile, offset: number, hash: Hash, options: Filling) {
  const { handle, signal, onProgress } = options
  let at = offset
  const more = { offset, ...(signal && { signal }), ...(onProgress && { onProgress }) }
  for await (const chunk of client.download(file.id, more)) {
    hash.update(chunk)
    await handle.write(chunk, 0, chunk.length, at)
    at += chunk.length
  }
  return hash.digest('hex')
}

/** Gives the part its name without replacing a file that has come meanwhile. */
async function placeAside(part: string, path: string) {
  try {
    await link(part, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw existsAlready(path)
    // A file system without hard links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error
    if (await isThere(path)) throw existsAlready(path)
    return rename(part, path)
  }
  await rm(part)
}

import { createHash, randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, resolve } from 'node:path'
import type { Client, StoredFile } from '../../client/index.ts'
import { type Spooled, spool } from '../../client/spooling.ts'
import type { Shared } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import { STDIN } from '../input/marks.ts'
import { transferBar } from './transfer-bar.ts'

export interface Outgoing {
  /** A path, or STDIN. */
  readonly path: string
  /** Name that others see; undefined: that of the path. */
  readonly name: string | undefined
  readonly keepMetadata: boolean
}

/** A file whose size is known, and the key with which its upload is resumed. */
interface Ready {
  readonly path: string
  readonly name: string
  readonly size: number
  readonly clientId: string
}

/**
 * Uploads a file. An upload that was interrupted, also by SIGKILL, goes on where it was: its key is derived from the
 * file, so a second run finds it. Stdin and pipes are collected in a temporary file first, since the size must be known.
 * @throws CliError, RefusedByServer
 */
export async function uploadFile(client: Client, shared: Shared, file: Outgoing): Promise<StoredFile> {
  const found = file.path === STDIN ? undefined : await statOf(file.path)
  if (found?.isFile()) return upload(client, shared, toReady(file, found), file)
  if (found?.isDirectory())
    throw new CliError('usage', `${file.path} is a folder`, '`tar c FOLDER | chatctl send NAME --file - --name x.tar`')
  const name = file.name
  if (name === undefined) throw new CliError('usage', 'a stream has no name', 'give it one with --name')
  const spooled = await collect(client, file.path, shared.signal)
  try {
    return await upload(client, shared, { ...spooled, name, clientId: randomUUID() }, file)
  } finally {
    await spooled.remove()
  }
}

async function upload(
  client: Client,
  { signal }: Shared,
  { path, name, size, clientId }: Ready,
  { keepMetadata }: Outgoing,
): Promise<StoredFile> {
  if (size === 0) throw new CliError('usage', `${name} is empty`, 'only a file with content can be sent')
  const bar = transferBar(name)
  try {
    const options = { name, size, clientId, keepMetadata, signal, onProgress: bar.update }
    return await client.upload(createReadStream(path), options)
  } finally {
    bar.end()
  }
}

async function statOf(path: string): Promise<BigIntStats> {
  try {
    return await stat(path, { bigint: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new CliError('usage', `there is no file ${path}`)
    throw error
  }
}

/** The same file gets the same key, until it changes. Not its content, which would have to be read twice. */
function toReady({ path, name = basename(path), keepMetadata }: Outgoing, found: BigIntStats): Ready {
  const { dev, ino, size, mtimeNs, ctimeNs } = found
  const facts = [hostname(), resolve(path), name, keepMetadata, dev, ino, size, mtimeNs, ctimeNs]
  const clientId = createHash('sha256').update(facts.join('\0')).digest('base64url')
  return { path, name, size: Number(size), clientId }
}

/** @throws CliError when there is more than the server takes */
async function collect(client: Client, path: string, signal: AbortSignal): Promise<Spooled> {
  const { maxSize } = await client.fileUsage({ signal })
  const stream = path === STDIN ? process.stdin : createReadStream(path)
  return spool(stream, { maxBytes: maxSize, signal }).catch((error: unknown) => {
    throw error instanceof RangeError ? new CliError('refused', error.message) : error
  })
}

import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { safeFileName } from '../../client/file-name.ts'
import type { Client, StoredFile } from '../../client/index.ts'
import * as saving from '../../client/saving.ts'
import { CliError } from '../errors/exit.ts'
import { transferBar } from './transfer-bar.ts'

export interface SaveOptions {
  /** Whether a file of that name is replaced. */
  readonly force: boolean
  readonly signal: AbortSignal
}

/** Path of a file in a folder, or the path itself: `asked` is what the user typed, the name comes from a sender. */
export async function targetOf(asked: string | undefined, name: string): Promise<string> {
  if (asked === undefined) return safeFileName(name)
  const isFolder = asked.endsWith('/') || ((await saving.isThere(asked)) && (await stat(asked)).isDirectory())
  return isFolder ? join(asked, safeFileName(name)) : asked
}

/** Saves a file, resumed where an earlier run was interrupted. @throws CliError `failed`, RefusedByServer */
export async function saveFile(client: Client, file: StoredFile, path: string, options: SaveOptions): Promise<void> {
  const bar = transferBar(file.name)
  try {
    await saving.saveFile(client, file, path, { ...options, onProgress: bar.update }).catch(inTheWay)
  } finally {
    bar.end()
  }
}

/** The preview of a picture, at once: it is small. */
export async function savePreview(client: Client, file: StoredFile, path: string, { force, signal }: SaveOptions) {
  const chunks: Buffer[] = []
  for await (const chunk of client.download(file.id, { variant: 'preview', signal })) chunks.push(chunk)
  await writeFile(path, chunks, { flag: force ? 'w' : 'wx' }).catch(inTheWay)
}

function inTheWay(error: NodeJS.ErrnoException): never {
  if (error.code !== 'EEXIST') throw error
  throw new CliError('failed', error.message, '--force replaces it, -o PATH names another')
}

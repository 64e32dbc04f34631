import type { Client, StoredFile } from '../../client/index.ts'
import { noteConnection } from '../client/incoming.ts'
import type { Shared } from '../definition/command.ts'
import { CliError } from '../errors/exit.ts'
import { STDIN } from '../input/marks.ts'
import { type Outgoing, uploadFile } from './outgoing.ts'

export interface SendFiles {
  readonly files: readonly Outgoing[]
  /** Text of the first message; empty for none. */
  readonly text: string
  /** Sends an uploaded file, and prints that. */
  readonly send: (text: string, file: StoredFile) => Promise<void>
}

export interface FileWords {
  readonly file: string | readonly string[] | undefined
  readonly name: string | undefined
  readonly keepMetadata: boolean | undefined
}

/** The files of the command line. @throws CliError `usage` */
export function outgoingOf({ file, name, keepMetadata = false }: FileWords): Outgoing[] {
  const paths = file === undefined ? [] : [file].flat()
  if (paths.length === 0 && (name !== undefined || keepMetadata))
    throw new CliError('usage', `--${name === undefined ? 'keep-metadata' : 'name'} goes with --file`)
  if (paths.length > 1 && name !== undefined)
    throw new CliError('usage', '--name is that of one file', 'send files with other names one by one')
  if (paths.filter((path) => path === STDIN).length > 1) throw new CliError('usage', '--file - reads stdin, once')
  if (paths.includes('')) throw new CliError('usage', '--file is empty')
  return paths.map((path) => ({ path, name, keepMetadata }))
}

/** Uploads the files and sends a message for each, in order: the first one with the text. */
export async function sendFiles(client: Client, shared: Shared, { files, text, send }: SendFiles) {
  noteConnection(client, shared.output)
  for (const [index, outgoing] of files.entries())
    await send(index === 0 ? text : '', await uploadFile(client, shared, outgoing))
}

import { join, relative } from 'node:path'
import { CliError } from '../errors/exit.ts'

/** Longest path of a Unix socket on Linux, in bytes without the final NUL. */
const SOCKET_PATH_BYTES = 107

/** The control socket of a data folder; relative to the current folder where the absolute path is too long. */
export function controlSocket(data: string): string {
  const path = join(data, 'control.sock')
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES) return path
  const fromHere = join(relative(process.cwd(), data), 'control.sock')
  if (Buffer.byteLength(fromHere) <= SOCKET_PATH_BYTES) return fromHere
  // The system would silently truncate the path, and put the control socket elsewhere.
  throw new CliError(
    'usage',
    `the path of the data folder is too long for its control socket: ${data}`,
    `at most ${SOCKET_PATH_BYTES - '/control.sock'.length} bytes`,
  )
}

/** The files of a server's data folder. */
export const dataPaths = (data: string) => ({
  database: join(data, 'chat.db'),
  files: join(data, 'files'),
  key: join(data, 'server.key'),
  secret: join(data, 'server.secret'),
  audit: join(data, 'audit.log'),
  control: controlSocket(data),
})

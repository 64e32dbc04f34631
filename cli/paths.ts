import { join, relative } from 'node:path'

/** Longest path of a Unix socket on Linux, in bytes without the final NUL. */
const SOCKET_PATH_BYTES = 107

/** The control socket of a data folder. A deep folder is named from where we stand, if the whole path is too long. */
export function controlSocket(data: string): string {
  const path = join(data, 'control.sock')
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES) return path
  return join(relative(process.cwd(), data), 'control.sock')
}

/** The files of a server's data folder. */
export const roomPaths = (data: string) => ({
  database: join(data, 'chat.db'),
  key: join(data, 'server.key'),
  secret: join(data, 'server.secret'),
  audit: join(data, 'audit.log'),
  control: controlSocket(data),
})

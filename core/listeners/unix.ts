import { chmod, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { SetupError } from '../errors.ts'
import { type Listener, type ListenerHandlers, listening } from './listener.ts'

/**
 * Listens on a Unix socket with mode 0600. The socket of a killed server is replaced.
 * @throws SetupError if a server still answers there
 */
export async function listenUnix(path: string, handlers: ListenerHandlers): Promise<Listener> {
  if (await answers(path)) throw new SetupError(`another server uses ${path}`)
  await rm(path, { force: true })
  const server = createServer((socket) => handlers.onConnection(socket, 'unknown'))
  await listening(server, () => server.listen(path), path, handlers)
  // Until then the umask protects the socket, and its folder, which is the operator's alone.
  await chmod(path, 0o600)
  return { address: path, close: () => server.close() }
}

/** Whether a server accepts connections on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path)
    probe.once('connect', () => resolve(true))
    // Any other error, such as a missing permission, may hide a living server.
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED'))
    probe.once('connect', () => probe.destroy())
  })
}

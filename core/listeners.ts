import { chmod, rm } from 'node:fs/promises'
import { type AddressInfo, createConnection, createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { SetupError } from './errors.ts'
import { plainAddress } from './session/address.ts'

export interface Listening {
  readonly host: string
  readonly port: number
}

/** Gets each connection, with the peer's address where it has one. */
type Accept = (stream: Duplex, address: string) => void
type OnError = (error: Error) => void

/**
 * Listens on TCP; port 0 takes a free one.
 * @param onError told of errors of accepting a connection, such as too many open files
 * @throws SetupError
 */
export async function listenTcp({ host, port }: Listening, accept: Accept, onError: OnError): Promise<Server> {
  const listener = createServer({ noDelay: true }, (socket) =>
    accept(socket, plainAddress(socket.remoteAddress ?? 'unknown')),
  )
  await started(listener, () => listener.listen(port, host), `${host}:${port}`, onError)
  return listener
}

/** Where a TCP listener listens. */
export function addressOf(listener: Server): Listening {
  const { address, port } = listener.address() as AddressInfo
  return { host: address, port }
}

/**
 * Listens on a Unix socket with mode 0600. A socket left by a killed server is replaced.
 * @throws SetupError if a server still answers there
 */
export async function listenUnix(path: string, accept: (stream: Duplex) => void, onError: OnError): Promise<Server> {
  if (await answers(path)) throw new SetupError(`another server uses ${path}`)
  await rm(path, { force: true })
  const listener = createServer((socket) => accept(socket))
  await started(listener, () => listener.listen(path), path, onError)
  // Between these two lines the umask holds, and the folder around it, which is the operator's alone.
  await chmod(path, 0o600)
  return listener
}

function started(listener: Server, listen: () => void, where: string, onAcceptError: OnError): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use' : error.message
      reject(new SetupError(`cannot listen on ${where}: ${why}`, { cause: error }))
    })
    listener.once('listening', () => {
      // From now on an error is one of accepting a connection, such as too many open files: not the listener's end.
      listener.removeAllListeners('error').on('error', onAcceptError)
      resolve()
    })
    listen()
  })
}

/** Whether anyone accepts connections on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path)
    probe.once('connect', () => resolve(true))
    // Any other error, a missing permission for one, may well hide a living server.
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ENOENT' && code !== 'ECONNREFUSED'))
    probe.once('connect', () => probe.destroy())
  })
}

import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { SetupError } from '../errors.ts'

/** Takes in a new connection. @param address the peer's, without port; `unknown` where there is none */
export type OnConnection = (stream: Duplex, address: string) => void

export interface ListenerHandlers {
  readonly onConnection: OnConnection
  /** Called when a connection could not be accepted, for example for want of open files: the listener goes on. */
  onError(error: Error): void
}

/** Accepts connections at one address. */
export interface Listener {
  /** Address for people: `127.0.0.1:7300`, or a path. */
  readonly address: string
  /** Stops accepting connections; open ones continue. */
  close(): void
  /** Ends what is open and no session. */
  destroy?(): void
  /** Whether requests that belong to no session are being answered. */
  isBusy?(): boolean
  /** Its part of `chatctl status`. */
  report?(): Record<string, number | string>
}

/** Resolves when the server listens. @throws SetupError naming `where` and the reason */
export function listening(
  server: Server,
  listen: () => void,
  where: string,
  { onError }: Pick<ListenerHandlers, 'onError'>,
) {
  return new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'the address is in use' : error.message
      reject(new SetupError(`cannot listen on ${where}: ${why}`, { cause: error }))
    })
    server.once('listening', () => {
      // From now on an error is one of accepting a connection, not the listener's end.
      server.removeAllListeners('error').on('error', onError)
      resolve()
    })
    listen()
  })
}

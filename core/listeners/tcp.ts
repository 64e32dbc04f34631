import { type AddressInfo, createServer, type ServerOpts } from 'node:net'
import { plainAddress } from '../session/address.ts'
import { type Listener, type ListenerHandlers, listening } from './listener.ts'

export interface TcpAddress {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

export interface TcpListener extends Listener {
  readonly host: string
  readonly port: number
}

export interface TcpOptions extends TcpAddress {
  /** Milliseconds of silence after which the system asks whether the peer's machine is there; never, if left out. */
  readonly keepAlive?: number
}

/** Listens on TCP. @throws SetupError */
export async function listenTcp(
  { host, port, keepAlive }: TcpOptions,
  handlers: ListenerHandlers,
): Promise<TcpListener> {
  const options: ServerOpts = {
    noDelay: true,
    ...(keepAlive !== undefined && { keepAlive: true, keepAliveInitialDelay: keepAlive }),
  }
  const server = createServer(options, (socket) =>
    handlers.onConnection(socket, plainAddress(socket.remoteAddress ?? 'unknown')),
  )
  await listening(server, () => server.listen(port, host), `${host}:${port}`, handlers)
  const bound = server.address() as AddressInfo
  const name = bound.address.includes(':') ? `[${bound.address}]` : bound.address
  return { host: bound.address, port: bound.port, address: `${name}:${bound.port}`, close: () => server.close() }
}

import { connect } from 'node:net'
import type { ByteStream, Dial } from './byte-stream.ts'
import { abortedBy, ClientError } from './errors.ts'

/** Connects to a TCP port, a Unix socket, or a WebSocket. */
export const dial: Dial = (address, signal) => {
  if ('url' in address) return openWebSocket(address.url, signal)
  const where = 'path' in address ? address.path : `${address.host}:${address.port}`
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, noDelay: true } as never)
    const abort = () => {
      socket.destroy()
      reject(abortedBy(signal, `no answer from ${where}`))
    }
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', abort)
      reject(new ClientError('unreachable', `cannot reach ${where}: ${reasonOf(error)}`, { cause: error }))
    })
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
}

async function openWebSocket(url: string, signal: AbortSignal): Promise<ByteStream> {
  // Most clients never need the library.
  const { dialWebSocket } = await import('./node-web-socket.ts')
  try {
    return await dialWebSocket(url, signal)
  } catch (error) {
    if (error instanceof ClientError) throw error
    throw new ClientError('unreachable', `cannot reach ${url}: ${reasonOf(error as Error)}`, { cause: error })
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOENT') return 'there is no such socket'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is unknown'
  return message || String(code)
}

import { connect } from 'node:net'
import type { Dial } from './byte-stream.ts'
import { abortedBy, ClientError } from './errors.ts'

/** Connects to a TCP port or a Unix socket. */
export const dial: Dial = (address, signal) => {
  if ('url' in address)
    return Promise.reject(new ClientError('unreachable', `${address.url}: only browsers connect to a WebSocket`))
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

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there'
  if (code === 'ENOENT') return 'there is no such socket'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is unknown'
  return message || String(code)
}

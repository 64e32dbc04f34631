import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { SUBPROTOCOL, WebSocketStream } from '../core/websocket/index.ts'
import { abortedBy } from './errors.ts'

/** Opens a WebSocket to a server. @throws ClientError `aborted`; errors of the system, and of an HTTP answer that is no WebSocket */
export function dialWebSocket(url: string, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortedBy(signal, `no answer from ${url}`))
    const socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false })
    const abort = () => {
      reject(abortedBy(signal, `no answer from ${url}`))
      socket.terminate()
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.once('unexpected-response', (request, { statusCode, statusMessage }) => {
      reject(new Error(`the answer is ${statusCode} ${statusMessage}`))
      request.destroy()
    })
    // After the connection is open, errors are the stream's.
    socket.on('error', reject)
    socket.once('open', () => resolve(new WebSocketStream(socket)))
    socket.once('open', () => signal.removeEventListener('abort', abort))
    socket.once('close', () => signal.removeEventListener('abort', abort))
  })
}

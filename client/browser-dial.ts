import type { Dial } from './byte-stream.ts'
import { abortedBy, ClientError } from './errors.ts'
import type { WebSocketConstructor, WebSocketLike } from './web-socket.ts'
import { WebSocketStream } from './web-socket-stream.ts'

/** Of a server that carries the bytes of layer 1 in binary frames, see docs/PROTOCOL.md. */
const SUBPROTOCOL = 'chatctl.noise.v1'

declare const WebSocket: WebSocketConstructor

/** Connects to a WebSocket. */
export const dial: Dial = async (address, signal) => {
  if (!('url' in address))
    throw new ClientError('unreachable', 'a browser connects to the WebSocket of a server, such as wss://HOST/chat')
  const { url } = address
  if (signal.aborted) throw abortedBy(signal, `no answer from ${url}`)
  const socket = openSocket(url)
  socket.binaryType = 'arraybuffer'
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      socket.close()
      reject(abortedBy(signal, `no answer from ${url}`))
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.onopen = () => {
      signal.removeEventListener('abort', abort)
      resolve()
    }
    // Browsers hide why from pages.
    socket.onclose = () => {
      signal.removeEventListener('abort', abort)
      reject(new ClientError('unreachable', `cannot reach ${url}: no chatctl server answers there`))
    }
  })
  return new WebSocketStream(socket)
}

/** @throws ClientError `unreachable` for an address that the browser refuses, such as `ws:` from a page of `https:` */
function openSocket(url: string): WebSocketLike {
  try {
    return new WebSocket(url, [SUBPROTOCOL])
  } catch (error) {
    throw new ClientError('unreachable', `cannot reach ${url}: ${(error as Error).message}`, { cause: error })
  }
}

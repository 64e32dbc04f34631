import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection with HTTP written by hand, so that the load costs less than what it measures. */
export class LoadConnection {
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static async open(url: string): Promise<LoadConnection> {
    const { hostname, port } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new LoadConnection(socket)
  }

  send(method: string, path: string, token: string, body = '') {
    const length = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\n${length}\r\n${body}`,
    )
  }

  /** Calls back with the text of each chunk. */
  onText(read: (text: string) => void) {
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', read)
  }

  end() {
    this.#socket.destroy()
  }
}

/** How often a text contains another. */
export function occurrences(text: string, part: string): number {
  let count = 0
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++
  return count
}

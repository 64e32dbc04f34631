import type { OutboxStream } from '../core/noise/index.ts'

/** The connection to a server: a Duplex of Node, or what a browser has instead. */
export interface ByteStream extends OutboxStream {
  /** True after `destroy`, or when the stream has closed. */
  readonly destroyed: boolean
  /** True when the peer has ended the stream, and everything was read. */
  readonly readableEnded: boolean
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'data', listener: (chunk: Buffer) => void): unknown
  off(event: 'close', listener: () => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  write(bytes: Buffer, onWritten?: (error?: Error | null) => void): unknown
  /** Writes what is queued, then closes. */
  end(): unknown
  /** No 'data' until `resume`. */
  pause(): unknown
  resume(): unknown
}

/** Address of a server that a platform can dial: TCP, a control socket, or a WebSocket (`ws://`, `wss://`). */
export type DialAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly url: string }

/** The dialer of a platform, `#platform/dial`. @throws ClientError `unreachable`, `timed_out`, `aborted` */
export type Dial = (address: DialAddress, signal: AbortSignal) => Promise<ByteStream>

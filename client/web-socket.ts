/** The part of a browser's WebSocket that the client uses; the types of Node 20 have none. */
export interface WebSocketLike {
  /** Bytes that were given to `send` and have not left. */
  readonly bufferedAmount: number
  binaryType: string
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: ((event: { readonly code: number; readonly wasClean: boolean }) => void) | null
  send(bytes: Uint8Array): void
  close(): void
}

export type WebSocketConstructor = new (url: string, protocols: readonly string[]) => WebSocketLike

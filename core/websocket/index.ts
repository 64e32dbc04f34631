export { WebSocketStream } from './websocket-stream.ts'

/** Subprotocol of a WebSocket that carries the native protocol. */
export const SUBPROTOCOL = 'chatctl.noise.v1'

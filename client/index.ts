import { Catalogue, CONTROL_MESSAGES, type Message } from '../core/wire/index.ts'
import * as builtIn from '../plugins/built-in-messages.ts'
import type { Address } from './channel.ts'
import { Client } from './client.ts'
import type { LinkOptions } from './link.ts'

export { Catalogue, fromEntries, type InputOf, type Message, type ValuesOf } from '../core/wire/index.ts'
export * from '../plugins/built-in-messages.ts'
export type { ByteStream } from './byte-stream.ts'
export type { Address } from './channel.ts'
export type { ChatMessage, Kind, MessageFile, MessageRef, TextStyle } from './chat-message.ts'
export type { Client } from './client.ts'
export type { LoginKeys } from './credentials.ts'
export { ClientError, type ClientErrorCode, type Failure, RefusedByServer } from './errors.ts'
export type { DownloadOptions, ListedFile, StoredFile, TransferProgress, UploadOptions } from './file-transfers.ts'
export type { GrowingMessage } from './incoming-streams.ts'
export type { KeyedOptions, RequestOptions } from './link.ts'
export type { DeviceCredentials } from './login.ts'
export type { ReactionCount, ReactOptions } from './message-changes.ts'
export type {
  ConsumeOptions,
  HistoryQuery,
  Identity,
  KeptState,
  LifeEvents,
  MessagesOptions,
  Page,
  SearchOptions,
  SearchPage,
  SendOptions,
  SentMessage,
} from './types.ts'

export type { UploadSource } from './upload-source.ts'

/** Message types of the protocol itself and of the built-in plugins. */
export const BUILT_IN_MESSAGES: readonly Message[] = [...CONTROL_MESSAGES, ...Object.values(builtIn)]

export const DEFAULT_PORT = 7300

export interface ConnectOptions extends Omit<LinkOptions, 'catalogue' | 'addresses'> {
  /**
   * In Node: `host:port`, `host` (port 7300), `[::1]:port`, `ws://host:port/chat`, a control socket `{ path }`, or a
   * connected stream. In a browser: the server's WebSocket, `wss://host/chat`. Several servers with one database, and so
   * with one key: their addresses, separated by commas. They are tried in turn, also after a lost connection.
   */
  readonly server: string | Address
  /** Message types of other plugins, to send and receive them. */
  readonly messages?: Iterable<Message>
}

/** Connects to a server; log in next. @throws ClientError */
export async function connect({ server, messages = [], ...options }: ConnectOptions): Promise<Client> {
  if (server === undefined) throw new TypeError('connect: `server` is missing, such as { server: "127.0.0.1:7300" }')
  const addresses = typeof server === 'string' ? parseAddresses(server) : [server]
  const catalogue = new Catalogue([...BUILT_IN_MESSAGES, ...messages])
  const client = new Client({ ...options, addresses, catalogue })
  await client.connect()
  return client
}

/** Parses addresses that are separated by commas. @throws TypeError */
export const parseAddresses = (servers: string) => servers.split(',').map((server) => parseAddress(server.trim()))

/** Parses `host:port`, `host`, `[::1]:port`, or the URL of a WebSocket. @throws TypeError */
export function parseAddress(server: string): { host: string; port: number } | { url: string } {
  if (/^wss?:/.test(server)) return { url: webSocketUrl(server) }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s/]+))(?::(\d{1,5}))?$/.exec(server)
  const port = Number(match?.[3] ?? DEFAULT_PORT)
  const host = match?.[1] ?? match?.[2]
  if (host === undefined || port < 1 || port > 65_535) throw new TypeError(`"${server}" is not HOST:PORT`)
  return { host, port }
}

/** A WebSocket is at `/chat`, unless the URL has another path. */
function webSocketUrl(text: string): string {
  if (!URL.canParse(text)) throw new TypeError(`"${text}" is not a URL such as ws://HOST:PORT/chat`)
  const url = new URL(text)
  url.hash = ''
  if (url.pathname === '/') url.pathname = '/chat'
  return url.href
}

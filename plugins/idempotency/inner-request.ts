import { createHash } from 'node:crypto'
import {
  type App,
  type ClientMessage,
  decode,
  type Frame,
  type InputOf,
  MessageSplitter,
  Refused,
  WireError,
} from '../../core/index.ts'
import { Once } from './messages.ts'

/** Bytes of the ref, which differs each time a request is sent. */
const REF_BYTES = 4

export interface InnerRequest {
  readonly message: ClientMessage
  readonly values: InputOf<never>
  /** Hash of the bytes without the ref: the same for the same request. */
  readonly hash: string
}

/** Decodes the request in a `once`. @throws Refused unless it is one request that users or admins may send */
export function innerRequest(app: App, bytes: Uint8Array): InnerRequest {
  try {
    const frames = [...new MessageSplitter(app.limits).push(Buffer.from(bytes))]
    const [frame] = frames
    if (frame === undefined || frames.length > 1 || frame.end !== bytes.length)
      throw new Refused('invalid_value', 'once.request: must hold exactly one message')
    const message = app.catalogue.byType(frame.type)
    if (message?.from !== 'client') throw new Refused('unknown_type')
    if (message.type === Once.type || (message.allow !== 'user' && message.allow !== 'admin'))
      throw new Refused('not_allowed', `${message.name} cannot be sent once`)
    const values = decode(message, frame, app.limits.values).values as InputOf<never>
    return { message, values, hash: hashOf(frame) }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw new Refused('invalid_value', `once.request: ${error.message}`)
  }
}

const hashOf = ({ bytes, data }: Frame): string =>
  createHash('sha256')
    .update(bytes.subarray(0, data))
    .update(bytes.subarray(data + REF_BYTES))
    .digest('base64url')

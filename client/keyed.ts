import { Buffer } from '#platform/runtime'
import { type ClientMessage, Done, decode, MessageSplitter, type ReplyOf } from '../core/wire/index.ts'
import { ClientError } from './errors.ts'

const REPLY_LIMITS = { message: 65_536, format: 65_536, values: 65_536 }

/** Decodes the reply that a `once_done` carries. @throws ClientError `protocol` */
export function replyIn<M extends ClientMessage>(message: M, bytes: Uint8Array): ReplyOf<M> {
  const expected = message.reply ?? Done
  const [frame] = new MessageSplitter(REPLY_LIMITS).push(Buffer.from(bytes))
  if (frame?.type !== expected.type)
    throw new ClientError('protocol', `${message.name} was answered by message ${frame?.type}`)
  return decode(expected, frame, REPLY_LIMITS.values).values as ReplyOf<M>
}

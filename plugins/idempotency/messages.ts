import { bool, bytes, clientMessage, line, serverMessage } from '../../core/wire/index.ts'

/** Longest request or reply in an envelope, in bytes. */
const MAX_INNER = 60_000

export const OnceDone = serverMessage({
  type: 144,
  name: 'once_done',
  about: 'The request was executed, now or before.',
  fields: {
    repeat: bool('true if it was executed before under this key and not again'),
    reply: bytes('reply to the request as a whole message, with ref 0', { min: 12, max: MAX_INNER }),
  },
})

export const Once = clientMessage({
  type: 36,
  name: 'once',
  about:
    'Executes a request at most once per idempotency key of this user; a repeat gets the first reply. A refused request leaves its key unused.',
  allow: 'user',
  fields: {
    key: line('idempotency key; unique per user', { min: 1, max: 128 }),
    request: bytes('request as a whole message: header, format and data; its ref is ignored', {
      min: 12,
      max: MAX_INNER,
    }),
  },
  reply: OnceDone,
})

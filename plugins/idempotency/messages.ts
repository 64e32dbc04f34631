import { bool, bytes, clientMessage, line, serverMessage } from '../../core/wire/index.ts'

/** Longest request or reply in an envelope, in bytes. */
const MAX_INNER = 60_000

export const OnceDone = serverMessage({
  type: 144,
  name: 'once_done',
  about: 'The request was carried out, now or before.',
  fields: {
    repeat: bool('true if it was carried out before, under the same key: nothing was done now'),
    reply: bytes('the reply of the request as a whole message, its ref 0', { min: 12, max: MAX_INNER }),
  },
})

export const Once = clientMessage({
  type: 36,
  name: 'once',
  about:
    'Carries out a request unless it was carried out before under the same key of this user; then the first reply is given again. A refusal is not kept: the same key may be tried again.',
  allow: 'user',
  fields: {
    key: line('the sender’s own name of this one act', { min: 1, max: 128 }),
    request: bytes('the request as a whole message: header, format, data; its ref is ignored', {
      min: 12,
      max: MAX_INNER,
    }),
  },
  reply: OnceDone,
})

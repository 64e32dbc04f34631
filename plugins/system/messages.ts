import { clientMessage, line, MAX_TEXT, optional, serverMessage, text, uint32 } from '../../core/wire/index.ts'

export const BroadcastStored = serverMessage({
  type: 152,
  name: 'broadcast_stored',
  about: 'The system message is on disk for each recipient and will be pushed to each of them.',
  fields: { recipients: uint32('number of accounts, including those that had the message already') },
})

export const Broadcast = clientMessage({
  type: 198,
  name: 'broadcast',
  about: 'Sends a system message (kind 2, from `system`) to every active account, online or not, or to one user.',
  allow: 'admin',
  fields: {
    text: text('text; may contain line breaks', { min: 1, max: MAX_TEXT }),
    to: optional(line('name of the recipient; empty: every active account', { max: 255 }), ''),
    clientId: optional(
      line(
        'idempotency key, unique per sender: a repeat stores the message only for recipients that lack it; empty: none',
        {
          max: 64,
        },
      ),
      '',
    ),
  },
  reply: BroadcastStored,
})

import { clientMessage, line, MAX_TEXT, optional, serverMessage, text, uint32 } from '../../core/wire/index.ts'

export const BroadcastStored = serverMessage({
  type: 152,
  name: 'broadcast_stored',
  about: 'The system message is on disk for each recipient, and will reach each of them.',
  fields: { recipients: uint32('how many accounts, those included that had it already') },
})

export const Broadcast = clientMessage({
  type: 198,
  name: 'broadcast',
  about: 'Sends a system message (kind 2, from system) to everyone, those who are away included, or to one user.',
  allow: 'admin',
  fields: {
    text: text('the text, line breaks and all', { min: 1, max: MAX_TEXT }),
    to: optional(line('name of the one recipient; empty: every active account', { max: 255 }), ''),
    clientId: optional(
      line('the sender’s own id of it; sent again with the same one, it reaches only who does not have it yet', {
        max: 64,
      }),
      '',
    ),
  },
  reply: BroadcastStored,
})

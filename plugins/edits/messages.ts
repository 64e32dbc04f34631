import { clientMessage, line, MAX_TEXT, serverMessage, text, uint64 } from '../../core/wire/index.ts'

const editedAt = uint64('time of the edit, milliseconds since 1970 UTC')

export const MessageEdited = serverMessage({
  type: 166,
  name: 'message_edited',
  about: 'A message that this user wrote or can read has a new text. Whether it is read does not change.',
  fields: {
    id: uint64('id of the message'),
    from: line('name of the sender', { max: 255 }),
    to: line('name of the recipient; empty in a group', { max: 255 }),
    group: line('name of the group; empty for a private message', { max: 255 }),
    text: text('the new text', { max: MAX_TEXT }),
    editedAt,
  },
})

export const EditStored = serverMessage({
  type: 167,
  name: 'edit_stored',
  about: 'The new text is on disk.',
  fields: { editedAt: uint64('time of the edit, milliseconds since 1970 UTC; 0: the message had this text already') },
})

export const EditMessage = clientMessage({
  type: 64,
  name: 'edit_message',
  about: 'Gives a message of this user, private or in a group, a new text. The former text is kept on the server.',
  allow: 'user',
  fields: {
    id: uint64('id of the message'),
    text: text('the new text; may contain line breaks', { min: 1, max: MAX_TEXT }),
  },
  reply: EditStored,
})

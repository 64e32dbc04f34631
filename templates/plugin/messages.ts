import { clientMessage, line, serverMessage, uint32, userName } from 'chatctl'

/** What travels. Encoder, decoder, checks, `chatctl inject` and the types of your handlers all come from here. */

export const Thanked = serverMessage({
  type: 1001,
  name: 'my_plugin_thanked',
  about: 'Somebody was thanked. Told to who asked as the reply, and to who was thanked.',
  fields: {
    by: userName('who thanks'),
    user: userName('who is thanked'),
    why: line('what for'),
    times: uint32('how often that user was thanked so far'),
  },
})

export const Thank = clientMessage({
  type: 1000,
  name: 'my_plugin_thank',
  about: 'Thanks a user.',
  allow: 'user',
  fields: {
    user: userName('whom'),
    why: line('what for', { min: 1, max: 200 }),
  },
  reply: Thanked,
})

import { clientMessage, line, serverMessage, uint32 } from 'chatctl'

export const PollCreated = serverMessage({
  type: 1001,
  name: 'poll_created',
  about: 'The poll is open.',
  fields: { poll: uint32('number of the poll'), by: line('who asks'), question: line('the question') },
})

export const CreatePoll = clientMessage({
  type: 1000,
  name: 'create_poll',
  about: 'Opens a poll and tells everyone who is here.',
  allow: 'user',
  fields: { question: line('the question', { min: 1, max: 200 }) },
  reply: PollCreated,
})

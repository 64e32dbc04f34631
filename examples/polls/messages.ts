import { clientMessage, line, list, optional, serverMessage, uint32 } from 'chatctl'

const poll = uint32('number of the poll')
const question = line('the question', { min: 1, max: 200 })

export const PollCreated = serverMessage({
  type: 1001,
  name: 'poll_created',
  about: 'The poll is open.',
  fields: { poll, by: line('who asks'), question: line('the question') },
})

export const CreatePoll = clientMessage({
  type: 1000,
  name: 'create_poll',
  about: 'Opens a poll and tells everyone who is here.',
  allow: 'user',
  fields: { question },
  reply: PollCreated,
})

export const Vote = clientMessage({
  type: 1002,
  name: 'vote',
  about: 'Votes in an open poll; a second vote replaces the first.',
  allow: 'user',
  fields: {
    poll,
    choice: line('the answer', { min: 1, max: 40 }),
    voter: optional(line('in whose name; only bots may say so', { max: 64 }), ''),
  },
})

export const PollClosed = serverMessage({
  type: 1004,
  name: 'poll_closed',
  about: 'The poll is closed, with this result.',
  fields: {
    poll,
    question: line('the question'),
    result: list('the answers, the one with the most votes first', {
      choice: line('the answer'),
      votes: uint32('how many gave it'),
    }),
  },
})

export const ClosePoll = clientMessage({
  type: 1003,
  name: 'close_poll',
  about: 'Closes one’s own poll and tells everyone who is here.',
  allow: 'user',
  fields: { poll },
  reply: PollClosed,
})

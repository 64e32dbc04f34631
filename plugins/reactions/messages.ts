import {
  bool,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'
import { MAX_EMOJI, MAX_IDS } from './fields.ts'

const emoji = line('one emoji', { min: 1, max: 64 })
const count = uint32('number of users with this reaction')

export const ReactionChanged = serverMessage({
  type: 168,
  name: 'reaction_changed',
  about: 'A user has reacted to a message that this user can read, or has removed a reaction.',
  fields: {
    id: uint64('id of the message'),
    from: line('name of the sender of the message', { max: 255 }),
    to: line('name of its recipient; empty in a group', { max: 255 }),
    group: line('name of its group; empty for a private message', { max: 255 }),
    user: userName('name of the user who reacted'),
    emoji,
    removed: bool('true: the reaction was removed'),
    count,
  },
})

export const React = clientMessage({
  type: 65,
  name: 'react',
  about: 'Reacts to a message that this user may read, or removes a reaction. Repeating it changes nothing.',
  allow: 'user',
  fields: {
    id: uint64('id of the message'),
    emoji,
    remove: optional(bool('true: remove the reaction'), false),
  },
})

export const Reactions = serverMessage({
  type: 169,
  name: 'reactions',
  about: 'Reactions to messages, by message; those that were there first come first.',
  fields: {
    reactions: list(
      'one entry for each message and emoji',
      { id: uint64('id of the message'), emoji, count, own: bool('true if this user is one of them') },
      { max: MAX_IDS * MAX_EMOJI },
    ),
  },
})

export const QueryReactions = clientMessage({
  type: 66,
  name: 'query_reactions',
  about: 'Requests the reactions to some messages. Messages that this user may not read have none.',
  allow: 'user',
  fields: { ids: list('the messages', { id: uint64('id of the message') }, { max: MAX_IDS }) },
  reply: Reactions,
})

import {
  bool,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  text,
  uint16,
  uint64,
} from '../../core/wire/index.ts'

const consumer = line('name of the consumer, one of this user’s own', { min: 1, max: 64 })
const key = line('what the state is of, for example a chat', { max: 255 })

/** Longest state of one key, in bytes. */
const MAX_STATE = 16_384

export const Consuming = serverMessage({
  type: 145,
  name: 'consuming',
  about: 'Events of the consumer follow as on_new_message: those it left off at, then new ones as they come.',
  fields: {
    position: uint64('everything up to this id was handled, but for `pending`'),
    pending: uint16('events below the position that were pushed and not acknowledged; they come first'),
    isNew: bool('true if the consumer was made by this request'),
  },
})

export const Consume = clientMessage({
  type: 37,
  name: 'consume',
  about:
    'Takes up a durable consumer of this user’s messages on this session, in place of what the session received so far. A new one begins with what comes next. Each event comes again until acknowledge_event names it; read or unread plays no part. Another session that consumes it is told consumer_taken and gets no more.',
  allow: 'user',
  fields: {
    consumer,
    all: optional(bool('true: a new consumer begins with the first message that this user may read'), false),
    maxAge: optional(uint64('leave out events older than so many milliseconds; 0: none'), 0),
  },
  reply: Consuming,
})

export const ConsumerTaken = serverMessage({
  type: 147,
  name: 'consumer_taken',
  about: 'Another session of this user has taken up the consumer; this one gets no more of its events.',
  fields: { consumer },
})

export const AcknowledgeEvent = clientMessage({
  type: 38,
  name: 'acknowledge_event',
  about:
    'The event was handled and does not come again. Earlier ones are not touched. State that is given is kept in the same transaction, so it is never of another event than the consumer is at.',
  allow: 'user',
  fields: {
    consumer,
    id: uint64('id of the message; 0 only keeps state'),
    key: optional(key, ''),
    state: optional(text('what to keep under the key; empty forgets it', { max: MAX_STATE }), ''),
    keep: optional(bool('whether key and state are given'), false),
  },
})

export const MoveConsumer = clientMessage({
  type: 39,
  name: 'move_consumer',
  about:
    'Moves a consumer, made if need be: forward to skip, back to have events again. It counts from the next consume on; a session that consumes it now is told consumer_taken.',
  allow: 'user',
  fields: {
    consumer,
    after: uint64('events with a higher id come next; ignored where `since` is given'),
    since: optional(uint64('events from this time on come next, milliseconds since 1970 UTC; 0: not given'), 0),
  },
  reply: Consuming,
})

export const ConsumerList = serverMessage({
  type: 146,
  name: 'consumer_list',
  about: 'The consumers of a user, by name.',
  fields: {
    consumers: list('the consumers', {
      consumer,
      position: uint64('everything up to this id was handled, but for `pending`'),
      pending: uint16('events below the position that were not acknowledged'),
      active: bool('true while a session consumes it'),
      movedAt: uint64('when it was last moved, milliseconds since 1970 UTC'),
    }),
  },
})

export const QueryConsumers = clientMessage({
  type: 40,
  name: 'query_consumers',
  about: 'Asks for this user’s consumers.',
  allow: 'user',
  fields: {},
  reply: ConsumerList,
})

export const DeleteConsumer = clientMessage({
  type: 41,
  name: 'delete_consumer',
  about: 'Forgets a consumer and all its state.',
  allow: 'user',
  fields: { consumer },
})

export const ConsumerState = serverMessage({
  type: 148,
  name: 'consumer_state',
  about: 'What is kept under the key.',
  fields: { state: text('empty if there is nothing', { max: MAX_STATE }) },
})

export const QueryState = clientMessage({
  type: 42,
  name: 'query_state',
  about: 'Asks what acknowledge_event has kept under a key of the consumer.',
  allow: 'user',
  fields: { consumer, key },
  reply: ConsumerState,
})

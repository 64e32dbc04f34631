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

const consumer = line('name of the consumer; unique per user', { min: 1, max: 64 })
const key = line('key of the state, for example a conversation', { max: 255 })

/** Longest state of one key, in bytes. */
const MAX_STATE = 16_384

export const Consuming = serverMessage({
  type: 145,
  name: 'consuming',
  about: 'The consumer is active. Its events follow as on_new_message: first the backlog, then new ones.',
  fields: {
    position: uint64('all events up to this message id were acknowledged, except `pending`'),
    pending: uint16('events below the position that were pushed but not acknowledged; they are pushed again first'),
    isNew: bool('true if this request created the consumer'),
  },
})

export const Consume = clientMessage({
  type: 37,
  name: 'consume',
  about:
    'Starts pushes of a durable consumer of this user’s messages on this session, in place of receive. A new consumer begins with the next message. Each event is pushed again until acknowledge_event names it, whether the message is read or unread. A session that held the consumer before gets consumer_taken.',
  allow: 'user',
  fields: {
    consumer,
    all: optional(bool('true: a new consumer begins with the oldest message that this user may read'), false),
    maxAge: optional(uint64('events older than this many milliseconds are skipped; 0: none are'), 0),
  },
  reply: Consuming,
})

export const ConsumerTaken = serverMessage({
  type: 147,
  name: 'consumer_taken',
  about: 'The consumer was taken over by another session, moved or deleted. This session gets no further events of it.',
  fields: { consumer },
})

export const AcknowledgeEvent = clientMessage({
  type: 38,
  name: 'acknowledge_event',
  about:
    'Acknowledges one event: it is not pushed again. Other events are unaffected. With `keep`, the state is stored in the same transaction, so state and position always agree.',
  allow: 'user',
  fields: {
    consumer,
    id: uint64('id of the message; 0: only store state'),
    key: optional(key, ''),
    state: optional(text('value to store under the key; empty: delete the key', { max: MAX_STATE }), ''),
    keep: optional(bool('true: store `state` under `key`'), false),
  },
})

export const MoveConsumer = clientMessage({
  type: 39,
  name: 'move_consumer',
  about:
    'Moves a consumer, forward to skip events or back to repeat them. Creates it if it does not exist. Takes effect with the next consume; a session that holds the consumer gets consumer_taken.',
  allow: 'user',
  fields: {
    consumer,
    after: uint64('the next events are those with a higher message id; ignored if `since` is not 0'),
    since: optional(
      uint64('the next events are those from this time on, milliseconds since 1970 UTC; 0: use `after`'),
      0,
    ),
  },
  reply: Consuming,
})

export const ConsumerList = serverMessage({
  type: 146,
  name: 'consumer_list',
  about: 'The consumers of this user, ordered by name.',
  fields: {
    consumers: list('the consumers', {
      consumer,
      position: uint64('all events up to this message id were acknowledged, except `pending`'),
      pending: uint16('number of events below the position that are not acknowledged'),
      active: bool('true while a session holds it'),
      movedAt: uint64('time of its creation or its last move_consumer, milliseconds since 1970 UTC'),
    }),
  },
})

export const QueryConsumers = clientMessage({
  type: 40,
  name: 'query_consumers',
  about: 'Requests the consumers of this user.',
  allow: 'user',
  fields: {},
  reply: ConsumerList,
})

export const DeleteConsumer = clientMessage({
  type: 41,
  name: 'delete_consumer',
  about: 'Deletes a consumer and all its state.',
  allow: 'user',
  fields: { consumer },
})

export const ConsumerState = serverMessage({
  type: 148,
  name: 'consumer_state',
  about: 'The state stored under a key.',
  fields: { state: text('stored value; empty if there is none', { max: MAX_STATE }) },
})

export const QueryState = clientMessage({
  type: 42,
  name: 'query_state',
  about: 'Requests the state that acknowledge_event stored under a key.',
  allow: 'user',
  fields: { consumer, key },
  reply: ConsumerState,
})

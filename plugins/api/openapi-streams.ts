import { OnNewMessage } from '../messages/messages.ts'
import { schemaOf } from './openapi-schemas.ts'

const PROBLEM = { default: { $ref: '#/components/responses/Problem' } }

const inQuery = (name: string, description: string, schema: object, required = false) => ({
  name,
  in: 'query',
  required,
  description,
  schema,
})

const CONSUMER = inQuery(
  'consumer',
  'name of the durable consumer',
  { type: 'string', minLength: 1, maxLength: 64 },
  true,
)
const ALL = inQuery('all', 'a new consumer begins with the oldest message', { type: 'boolean', default: false })
const AFTER = inQuery('after', 'the last id that was received; in place of Last-Event-ID', {
  type: 'integer',
  minimum: 0,
})

const ack = (value: string, description: string) => inQuery('ack', description, { type: 'string', enum: [value] })

/** Paths of event streams. */
export const STREAM_PATHS = {
  '/v1/events': {
    get: {
      operationId: 'events',
      summary: 'Messages to this user from now on, as server-sent events: each until it is acknowledged.',
      tags: ['events'],
      parameters: [
        CONSUMER,
        ALL,
        AFTER,
        ack('sent', 'acknowledges each event when it is sent'),
        {
          name: 'Last-Event-ID',
          in: 'header',
          description: 'acknowledges all events up to this one',
          schema: { type: 'string' },
        },
      ],
      responses: {
        200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        ...PROBLEM,
      },
    },
  },
  '/v1/events/ack': {
    post: {
      operationId: 'acknowledgeEvents',
      summary: 'Acknowledges an event, and all that its stream has sent before.',
      tags: ['events'],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { consumer: { type: 'string' }, id: { type: 'integer', minimum: 1 } },
              required: ['consumer', 'id'],
              additionalProperties: false,
            },
          },
        },
      },
      responses: {
        200: { description: 'It is stored.', content: { 'application/json': { schema: { type: 'object' } } } },
        ...PROBLEM,
      },
    },
  },
  '/v1/wait': {
    get: {
      operationId: 'wait',
      summary: 'Waits for the next messages to this user.',
      tags: ['events'],
      parameters: [
        CONSUMER,
        ALL,
        AFTER,
        ack('later', 'acknowledges nothing: the next request does, with `after`'),
        inQuery('seconds', 'time to wait', { type: 'integer', minimum: 1, maximum: 60, default: 45 }),
      ],
      responses: {
        200: {
          description: 'Messages.',
          content: { 'application/json': { schema: schemaOf(OnNewMessage.fields, false) } },
        },
        204: { description: 'There was none.' },
        ...PROBLEM,
      },
    },
  },
}

import type { Catalogue, ClientMessage, Fields, Message } from '../../core/index.ts'
import { ChatroomMessage } from '../groups/messages.ts'
import { MessageStored, SendMessage } from '../messages/messages.ts'
import { filePaths } from './openapi-files.ts'
import { fieldSchema, schemaOf } from './openapi-schemas.ts'
import { STREAM_PATHS } from './openapi-streams.ts'
import { READING } from './reading.ts'
import { scopeOf } from './scopes.ts'

type Json = Readonly<Record<string, unknown>>

const json = (schema: Json) => ({ 'application/json': { schema } })
const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

const KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'the same request with the same key is carried out once; with another body it is refused with 422',
  schema: { type: 'string', minLength: 1, maxLength: 64 },
}

const inPath = (name: string, field: { readonly about: string }) => ({
  name,
  in: 'path',
  required: true,
  description: field.about,
  schema: { type: 'string' },
})

const answers = (status: number, description: string, schema: Json) => ({
  [status]: { description, content: json(schema) },
  default: { $ref: '#/components/responses/Problem' },
})

/** Stored: id and time, the same for each repeat. */
const STORED: Json = {
  type: 'object',
  properties: {
    id: fieldSchema(MessageStored.fields.id, false),
    sentAt: fieldSchema(MessageStored.fields.sentAt, false),
  },
  required: ['id', 'sentAt'],
}

function sendingPaths(): Json {
  const { to, ...content } = SendMessage.fields
  const responses = answers(201, 'The message is on disk.', ref('stored'))
  const sendTo = (operationId: string, name: string, field: { readonly about: string }) => ({
    post: {
      operationId,
      summary: 'Sends a text; the body is the text itself.',
      tags: ['messages'],
      parameters: [inPath(name, field), KEY],
      requestBody: {
        required: true,
        content: {
          'text/plain': { schema: { type: 'string', minLength: 1 } },
          ...json(schemaOf(content, true)),
        },
      },
      responses,
    },
  })
  const anyTarget = schemaOf({ ...content, to, group: ChatroomMessage.fields.group }, true)
  return {
    '/v1/to/{user}': sendTo('sendTo', 'user', to),
    '/v1/to/group/{group}': sendTo('sendToGroup', 'group', ChatroomMessage.fields.group),
    '/v1/messages': {
      post: {
        operationId: 'send',
        summary: 'Sends a message to a user or a group.',
        tags: ['messages'],
        parameters: [KEY],
        requestBody: { required: true, content: json({ ...anyTarget, required: ['text'] }) },
        responses,
      },
    },
  }
}

function readingPaths(catalogue: Catalogue): Json {
  const paths = READING.flatMap(([path, name, ...fields]) => {
    const message = catalogue.byName(name)
    return message?.from === 'client' ? [[`/v1${withBraces(path)}`, readingPath(path, message, fields)]] : []
  })
  return Object.fromEntries(paths)
}

function readingPath(path: string, message: ClientMessage, fields: readonly string[]): Json {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  const entries = Object.entries(message.fields)
  const inQuery = entries.filter(([name]) => !fields.includes(name))
  return {
    get: {
      operationId: `get${camel(path.replaceAll(/[/:]+/g, '_'))}`,
      summary: message.about,
      tags: ['reading'],
      parameters: [
        ...names.map((name, index) => inPath(name, message.fields[fields[index] as string] as { about: string })),
        ...inQuery.map(([name, field]) => ({
          name,
          in: 'query',
          required: field.kind !== 'list' && field.default === undefined,
          description: field.about,
          schema: fieldSchema(field, true),
        })),
      ],
      responses: answers(200, message.reply?.about ?? 'Done.', replySchema(message)),
    },
  }
}

function callingPaths(requests: readonly ClientMessage[]): Json {
  const paths = requests.map((message) => [
    `/v1/call/${message.name}`,
    {
      post: {
        operationId: `call${camel(`_${message.name}`)}`,
        summary: message.about,
        description: `Needs a token with the scope \`${scopeOf(message)}\`${message.allow === 'admin' ? ', of an admin' : ''}.`,
        tags: ['calls'],
        parameters: [KEY],
        requestBody: { required: isNeeded(message.fields), content: json(ref(message.name)) },
        responses: answers(200, message.reply?.about ?? 'Done.', replySchema(message)),
      },
    },
  ])
  return Object.fromEntries(paths)
}

const replySchema = ({ reply }: ClientMessage): Json => (reply === undefined ? { type: 'object' } : ref(reply.name))

const isNeeded = (fields: Fields) =>
  Object.values(fields).some((field) => field.kind !== 'list' && field.default === undefined)

const withBraces = (path: string) => path.replaceAll(/:(\w+)/g, '{$1}')
const camel = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

const PROBLEM = {
  type: 'object',
  description: 'A refusal (RFC 9457).',
  properties: {
    type: { type: 'string', description: 'urn:chatctl:failure: and the name' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'description for people' },
    name: { type: 'string', description: 'name of the failure in the protocol, or of the HTTP status' },
    retryAfter: { type: 'integer', description: 'milliseconds after which the same request may succeed' },
  },
  required: ['type', 'title', 'status', 'detail', 'name'],
}

/** The HTTP API of a server with these messages, as OpenAPI 3.1. */
export function openApi(catalogue: Catalogue): Json {
  const requests = [...catalogue].filter(isRequest).filter((message) => scopeOf(message) !== undefined)
  const replies = new Set(requests.flatMap(({ reply }): Message[] => (reply === undefined ? [] : [reply])))
  const schemas = [...requests, ...replies].map((message) => [
    message.name,
    { description: message.about, ...schemaOf(message.fields, message.from === 'client') },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'chatctl',
      version: '1.0.0',
      description: 'Requests of the chat server with a token of `chatctl tokens create`. See docs/HTTP.md.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths: {
      ...sendingPaths(),
      ...readingPaths(catalogue),
      ...STREAM_PATHS,
      ...filePaths(catalogue),
      ...callingPaths(requests),
    },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      responses: {
        Problem: {
          description: 'The request was refused.',
          content: { 'application/problem+json': { schema: ref('problem') } },
        },
      },
      schemas: { ...Object.fromEntries(schemas), stored: STORED, problem: PROBLEM },
    },
  }
}

const isRequest = (message: Message): message is ClientMessage => message.from === 'client'

import type { Catalogue } from '../../core/index.ts'

const PROBLEM = { default: { $ref: '#/components/responses/Problem' } }
const BINARY = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }

const file = (description: string) => ({
  name: 'file',
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
})

const KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'the same upload, also one that was cut off, goes on',
  schema: { type: 'string', minLength: 1, maxLength: 64 },
}

/** Contents of files, on a server that has them. */
export function filePaths(catalogue: Catalogue): Readonly<Record<string, unknown>> {
  if (catalogue.byName('read_file') === undefined) return {}
  return {
    '/v1/files/{file}': {
      get: {
        operationId: 'getFile',
        summary: 'Content of a file that this user may read.',
        tags: ['files'],
        parameters: [
          file('id of the file'),
          {
            name: 'variant',
            in: 'query',
            required: false,
            description: 'the file or its preview',
            schema: { type: 'string', enum: ['original', 'preview'], default: 'original' },
          },
        ],
        responses: { 200: { description: 'The content.', content: BINARY }, ...PROBLEM },
      },
      put: {
        operationId: 'putFile',
        summary: 'Uploads a file; a message carries it as `file`.',
        tags: ['files'],
        parameters: [file('name of the file'), KEY],
        requestBody: { required: true, content: BINARY },
        responses: {
          201: {
            description: 'The file is on disk.',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/file_info' } } },
          },
          ...PROBLEM,
        },
      },
    },
  }
}

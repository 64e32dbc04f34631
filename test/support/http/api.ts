import type { ExecutionContext } from 'ava'
import { CreateToken } from '../../../client/index.ts'
import { type TestServer, type TestServerOptions, testServer } from '../../../testing/index.ts'
import { type Answer, type AskOptions, ask } from './http.ts'

export interface TokenOptions {
  /** Words with commas between; all scopes if left out. */
  readonly scope?: string
  /** Users, and groups with `@`, with commas between. */
  readonly to?: string
}

/** Creates a token of a user. */
export async function tokenOf(
  user: { request: Awaited<ReturnType<TestServer['user']>>['request'] },
  { scope = 'send,read,manage', to = '' }: TokenOptions = {},
): Promise<string> {
  const scopes = scope.split(',')
  const [send, read, manage] = ['send', 'read', 'manage'].map((name) => scopes.includes(name)) as [
    boolean,
    boolean,
    boolean,
  ]
  const { token } = await user.request(CreateToken, {
    name: 'test',
    send,
    read,
    manage,
    targets: to.replaceAll(',', '\n'),
  })
  return token
}

export interface ApiOptions extends AskOptions {
  readonly token?: string | undefined
  /** Sent as JSON. */
  readonly json?: unknown
}

export interface ApiAnswer extends Answer {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects
  readonly json: any
}

/** A server in memory with its HTTP API. */
export async function apiServer(t: ExecutionContext, options: TestServerOptions = {}) {
  const server = await testServer(options)
  t.teardown(() => server.dispose())
  const url = await server.http()
  const call = async (path: string, { token, json, headers = {}, ...rest }: ApiOptions = {}): Promise<ApiAnswer> => {
    const answer = await ask(url, path, {
      ...(json !== undefined && { method: 'POST', body: JSON.stringify(json) }),
      ...rest,
      headers: { ...(token !== undefined && { Authorization: `Bearer ${token}` }), ...headers },
    })
    const isJson = /json/.test(answer.headers['content-type'] ?? '') && answer.text !== ''
    return { ...answer, json: isJson ? JSON.parse(answer.text) : undefined }
  }
  return { server, url, call }
}

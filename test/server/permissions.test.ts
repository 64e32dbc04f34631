import test from 'ava'
import { BUILT_IN_MESSAGES, type Client } from '../../client/index.ts'
import { type Allow, type ClientMessage, clientMessage } from '../../core/index.ts'
import { type TestServer, testServer } from '../../testing/index.ts'
import { sampleValues } from '../support/wire/samples.ts'

type Caller = 'anonymous' | 'user' | 'admin' | 'operator' | 'operator as user'

/** The expected result of the dispatch check for every rule and caller; a missing entry does not compile. */
const EXPECTED: Record<Allow, Record<Caller, 'passes' | 'login_required' | 'not_allowed'>> = {
  any: { anonymous: 'passes', user: 'passes', admin: 'passes', operator: 'passes', 'operator as user': 'passes' },
  anonymous: {
    anonymous: 'passes',
    user: 'not_allowed',
    admin: 'not_allowed',
    operator: 'not_allowed',
    'operator as user': 'not_allowed',
  },
  user: {
    anonymous: 'login_required',
    user: 'passes',
    admin: 'passes',
    operator: 'login_required',
    'operator as user': 'passes',
  },
  admin: {
    anonymous: 'login_required',
    user: 'not_allowed',
    admin: 'passes',
    operator: 'passes',
    'operator as user': 'passes',
  },
  operator: {
    anonymous: 'not_allowed',
    user: 'not_allowed',
    admin: 'not_allowed',
    operator: 'passes',
    'operator as user': 'passes',
  },
}

async function enterAs(server: TestServer, caller: Caller): Promise<Client> {
  if (caller === 'anonymous') return server.connect()
  if (caller === 'user') return (await server.user('alice')).client
  if (caller === 'admin') return (await server.user('root', { role: 'admin' })).client
  const operator = await server.operator()
  if (caller === 'operator as user') await operator.actAs('alice')
  return operator
}

const requests = BUILT_IN_MESSAGES.filter((message): message is ClientMessage => message.from === 'client')

for (const caller of ['anonymous', 'user', 'admin', 'operator', 'operator as user'] as const) {
  test(`every message type, sent by: ${caller}`, async (t) => {
    await using server = await testServer({ limits: { messagesBeforeLogin: 1000 } })
    await server.user('alice')
    for (const message of requests) {
      const client = await enterAs(server, caller)
      const outcome = await client.request(message, sampleValues(message.fields) as never).then(
        () => 'passes',
        (error: { failure?: string }) => error.failure ?? 'no answer',
      )
      const expected = EXPECTED[message.allow][caller]
      const what = `${message.name} by ${caller}: ${outcome}`
      // After the check the handler may still refuse the sample values; a session cannot log in again.
      if (expected === 'passes') t.false(['login_required', 'unknown_type', 'internal'].includes(outcome), what)
      else t.is(outcome, expected, what)
      await client.close()
    }
  })
}

test('server messages and unknown types are refused', async (t) => {
  await using server = await testServer({ limits: { messagesBeforeLogin: 1000 } })
  const stranger = await server.connect()
  for (const type of [100, 104, 121, 129, 192, 203, 7, 999, 5000, 0xffffffff]) {
    const forged = clientMessage({ type, name: 'forged', about: '', allow: 'any', fields: {} })
    await t.throwsAsync(stranger.request(forged, {}), { message: /does not know this message type/ }, String(type))
  }
})

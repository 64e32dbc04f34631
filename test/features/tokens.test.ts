import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { dataPaths } from '../../cli/server/paths.ts'
import { CreateToken, QueryTokens, RevokeToken, SetUserActive } from '../../client/index.ts'
import { definePlugin, Refused } from '../../core/index.ts'
import { type Access, tokens } from '../../plugins/index.ts'
import { testServer } from '../../testing/index.ts'
import { startLocalServer } from '../support/server.ts'

const ALL = { send: true, read: true, manage: true }
const NONE = { send: false, read: false, manage: false }
const DAY_MS = 86_400_000

/** A server whose tokens the test checks as a plugin does. */
async function withTokens(t: ExecutionContext, limits: Record<string, number> = {}) {
  let authenticate: ((token: string | undefined, network: string) => Promise<Access>) | undefined
  const door = definePlugin({
    name: 'door',
    needs: { tokens },
    setup(_app, { needs }) {
      authenticate = (token, network) => needs.tokens.authenticate(token, network)
    },
  })
  const server = await testServer({ plugins: [door], limits: { tokenFailures: 3, ...limits } })
  t.teardown(() => server.dispose())
  const enter = (token: string | undefined, network = '192.0.2.1') => {
    if (authenticate === undefined) throw new Error('the plugin has not started')
    return authenticate(token, network)
  }
  /** Name of the refusal; `ok` if there is none. */
  const outcome = async (token: string | undefined, network?: string) => {
    try {
      await enter(token, network)
      return 'ok'
    } catch (error) {
      return error instanceof Refused ? error.code : error
    }
  }
  return { server, enter, outcome }
}

test('a token acts as its user within its scopes and targets, and only its hash is stored', async (t) => {
  const { server, enter } = await withTokens(t)
  const alice = await server.user('alice')
  const wanted = { name: 'deploy', ...NONE, send: true, targets: '@ops\nBob\n@ops' }
  const { id, token, expiresAt } = await alice.request(CreateToken, wanted)
  t.regex(token, /^chatctl_[0-9A-Za-z]{49}$/)
  const { user, token: grant } = await enter(token)
  t.like(user, { name: 'alice', role: 'user' })
  t.deepEqual([...grant.scopes], ['send'])
  t.true(grant.mayReach({ group: 'ops' }) && grant.mayReach({ user: 'bob' }) && grant.mayReach({ user: 'BOB' }))
  t.false(grant.mayReach({ group: 'Ops' }) || grant.mayReach({ user: 'ops' }) || grant.mayReach({ user: '@ops' }))

  const { tokens } = await alice.request(QueryTokens, {})
  t.like(tokens, [{ id, name: 'deploy', ...NONE, send: true, targets: '@ops\nbob', expiresAt }])
  t.is(expiresAt - (tokens[0]?.createdAt ?? 0), 90 * DAY_MS)
  await server.settled()
  const rows = JSON.stringify(await server.db('api_token'))
  t.false(rows.includes(token) || rows.includes(token.slice(8)))
})

/** Resolves when what was opened with a token has ended. */
const ended = async (signal: AbortSignal) => {
  if (!signal.aborted) await once(signal, 'abort')
}

test('a wrong, mistyped, expired or revoked token is refused, and so is one of a disabled user', async (t) => {
  const { server, enter, outcome } = await withTokens(t, { tokenFailures: 100 })
  const alice = await server.user('alice')
  const create = (more = {}) => alice.request(CreateToken, { name: 'a', ...ALL, ...more })
  const { token } = await create()
  t.is(await outcome(token), 'ok')
  const mistyped = token.slice(0, -1) + (token.endsWith('x') ? 'y' : 'x')
  for (const wrong of [undefined, '', 'x', mistyped, token.toLowerCase(), `${token} `])
    t.is(await outcome(wrong), 'bad_token', String(wrong))

  const short = await create({ expiresIn: 5000 })
  const { token: expiring } = await enter(short.token)
  await server.clock.advance(4000)
  t.false(expiring.revoked.aborted)
  await server.clock.advance(1000)
  t.true(expiring.revoked.aborted)
  t.is(await outcome(short.token), 'bad_token')

  const second = await create()
  const { token: open } = await enter(second.token)
  await alice.request(RevokeToken, { id: second.id })
  await ended(open.revoked)
  t.is(await outcome(second.token), 'bad_token')
  t.is(await alice.refused(alice.request(RevokeToken, { id: second.id })), 'no_token')

  const { token: kept } = await enter(token)
  const admin = await server.user('root', { role: 'admin' })
  await admin.request(SetUserActive, { user: 'alice', active: false })
  await ended(kept.revoked)
  t.is(await outcome(token), 'bad_token')
})

test('a token of another user cannot be revoked or listed', async (t) => {
  const { server, outcome } = await withTokens(t)
  const alice = await server.user('alice')
  const bob = await server.user('bob')
  const { id, token } = await alice.request(CreateToken, { name: 'a', ...ALL })
  t.is(await bob.refused(bob.request(RevokeToken, { id })), 'no_token')
  t.deepEqual((await bob.request(QueryTokens, {})).tokens, [])
  t.is(await outcome(token), 'ok')
})

test('wrong tokens of one address are limited; those in use and other addresses are not', async (t) => {
  const { server, outcome } = await withTokens(t)
  const alice = await server.user('alice')
  const [used, unused] = [
    await alice.request(CreateToken, { name: 'a', ...ALL }),
    await alice.request(CreateToken, { name: 'b', ...ALL }),
  ]
  t.is(await outcome(used.token), 'ok')
  const wrong = await Promise.all(Array.from({ length: 5 }, () => outcome('chatctl_x')))
  t.is(wrong.filter((outcome) => outcome === 'bad_token').length, 3)
  t.is(wrong.filter((outcome) => outcome === 'rate_limited').length, 2)
  t.is(await outcome(unused.token), 'rate_limited')
  t.is(await outcome(used.token), 'ok')
  t.is(await outcome(unused.token, '192.0.2.2'), 'ok')
  await server.clock.advance(20_000)
  t.is(await outcome('chatctl_x'), 'bad_token')
})

test('a token needs a scope, a name, a lifetime within the limit and valid targets', async (t) => {
  const { server } = await withTokens(t, { tokens: 2, tokenLifetime: 100 * DAY_MS })
  const alice = await server.user('alice')
  const create = (more = {}) => alice.request(CreateToken, { name: 'a', ...ALL, ...more })
  for (const wrong of [NONE, { name: '\u2800' }, { expiresIn: 100 * DAY_MS + 1 }, { targets: '@' }])
    t.is(await alice.refused(create(wrong)), 'invalid_value', JSON.stringify(wrong))
  await create({ expiresIn: 100 * DAY_MS })
  await create({ expiresIn: 1000 })
  t.is(await alice.refused(create()), 'too_many')
  await server.clock.advance(1000)
  t.truthy(await create())
})

test('the last use of a token is stored once a minute', async (t) => {
  const { server, outcome } = await withTokens(t)
  const alice = await server.user('alice')
  const { token } = await alice.request(CreateToken, { name: 'a', ...ALL })
  const usedAt = async () => {
    await server.settled()
    return (await alice.request(QueryTokens, {})).tokens[0]?.usedAt ?? 0
  }
  t.is(await usedAt(), 0)
  await outcome(token)
  const first = await usedAt()
  t.true(first > 0)
  await server.clock.advance(59_000)
  await outcome(token)
  t.is(await usedAt(), first)
  await server.clock.advance(1000)
  await outcome(token)
  t.is(await usedAt(), first + 60_000)
})

test('the audit log has who created and revoked a token, and no secret', async (t) => {
  const server = await startLocalServer(t)
  const operator = await server.operator()
  await server.user('alice')
  await operator.actAs('alice')
  const { id, token } = await operator.request(CreateToken, { name: 'deploy', ...ALL })
  await operator.request(RevokeToken, { id })
  const audit = await readFile(dataPaths(server.data).audit, 'utf8')
  const records = audit
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string })
  t.like(
    records.filter(({ event }) => event.startsWith('token_')),
    [
      { event: 'token_created', by: 'operator', user: 'alice', token: id, name: 'deploy', scopes: 'send read manage' },
      { event: 'token_revoked', by: 'operator', user: 'alice', token: id },
    ],
  )
  t.false(audit.includes(token))
})

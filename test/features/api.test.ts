import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { pino } from 'pino'
import { CreateIncomingHook } from '../../client/index.ts'
import { bytes, clientMessage, definePlugin, line, list, Refused, serverMessage, text } from '../../core/index.ts'
import { scopeOf } from '../../plugins/api/scopes.ts'
import { newToken } from '../../plugins/tokens/secret.ts'
import { type ApiAnswer, apiServer, tokenOf } from '../support/http/api.ts'
import { requireProgram } from '../support/processes/required.ts'

const run = promisify(execFile)

const Painted = serverMessage({ type: 1201, name: 'painted', about: 'Painted.', fields: { pixels: bytes('pixels') } })
const Paint = clientMessage({
  type: 1200,
  name: 'paint',
  about: 'Paints.',
  allow: 'user',
  fields: {
    user: line('whom', { max: 255 }),
    pixels: bytes('pixels'),
    layers: list('layers', { title: text('title', { max: 9 }) }),
  },
  reply: Painted,
})

/** A plugin by others, of whose requests the test counts how many were carried out. */
function painter() {
  const painted: string[] = []
  const plugin = definePlugin({
    name: 'painter',
    messages: { Paint, Painted },
    setup(app) {
      app.handle(Paint, (session, { user, pixels, layers }) => {
        if (user === 'forbidden') throw new Refused('painter.forbidden', 'not that one')
        painted.push(`${session.user.name} ${user} ${layers.map(({ title }) => title).join('+')}`)
        return { pixels: Buffer.from(pixels).reverse() }
      })
    },
  })
  return { plugin, painted }
}

/** Status and name of a refusal. */
const outcome = ({ status, json, headers }: ApiAnswer) => {
  if (status >= 400 && headers['content-type'] !== 'application/problem+json') throw new Error(`no problem: ${status}`)
  return status < 400 ? status : `${status} ${json.name}`
}

test('a text is sent with one line of curl, to a user and to a group', async (t) => {
  if (!requireProgram(t, 'curl')) return
  const { server, url } = await apiServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.joins('值班 ops')
  await bob.joins('值班 ops')
  const token = await tokenOf(alice, { scope: 'send' })
  const curl = async (...args: string[]) =>
    (await run('curl', ['-sS', '-H', `Authorization: Bearer ${token}`, ...args])).stdout
  const stored = JSON.parse(await curl('-d', 'deploy done ✓', `${url}/v1/to/bob`))
  const heard = await bob.hears('deploy done ✓', { from: 'alice' })
  t.deepEqual([heard.id, heard.sentAt.getTime()], [stored.id, stored.sentAt])
  await curl('-d', 'to all', `${url}/v1/to/group/${encodeURIComponent('值班 ops')}`)
  await bob.hears('to all', { group: '值班 ops' })
})

test('20 parallel curls with one Idempotency-Key store one message and get equal answers; another body is refused', async (t) => {
  if (!requireProgram(t, 'curl')) return
  const { server, url } = await apiServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const token = await tokenOf(alice)
  const send = (text: string, path = '/v1/to/bob') => {
    const headers = ['-H', `Authorization: Bearer ${token}`, '-H', 'Idempotency-Key: "deploy-7"']
    return run('curl', ['-sS', '-w', '%{http_code}', ...headers, '-d', text, url + path])
  }
  const answers = await Promise.all(Array.from({ length: 20 }, () => send('deploy done')))
  t.is(new Set(answers.map(({ stdout }) => stdout)).size, 1)
  t.regex(answers[0]?.stdout ?? '', /^\{"id":\d+,"sentAt":\d+\}\n201$/)
  for (const { stdout } of [await send('something else'), await send('deploy done', '/v1/to/alice')])
    t.regex(stdout, /"name":"client_id_reused".*\n422$/s)
  await bob.hears('deploy done')
  await bob.hearsNothing()
})

test('JSON sends what the protocol has, and reads come as JSON', async (t) => {
  const { server, call } = await apiServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.joins('ops')
  await bob.joins('ops')
  const token = await tokenOf(alice)
  const first = await call('/v1/messages', { token, json: { to: 'bob', text: 'one', color: '#ff0000' } })
  t.is(first.status, 201)
  const { id } = first.json
  t.is((await call('/v1/messages', { token, json: { group: 'ops', text: 'two' } })).status, 201)
  await bob.says('alice', 'three')
  const reply = await call('/v1/to/bob', {
    token,
    json: { text: 'four', replyTo: id },
    headers: { 'Content-Type': 'application/json' },
  })
  t.is(reply.status, 201)

  const history = await call('/v1/history/bob?limit=2&before=0', { token })
  t.like(history.json, {
    more: true,
    messages: [
      { text: 'three', from: 'bob' },
      { text: 'four', replyTo: id },
    ],
  })
  t.like((await call('/v1/history/group/ops', { token })).json, { messages: [{ text: 'two', group: 'ops' }] })
  t.like((await call('/v1/inbox', { token })).json, {
    messages: [{ text: 'three', from: 'bob', unread: true }],
  })
  t.is((await call('/v1/contacts', { token })).json.unread, 1)
  t.is((await call('/v1/search?text=ON', { token })).json.messages[0].color, '#ff0000')
  t.is((await call('/v1/groups', { token })).json.groups.length, 1)
  t.is((await call('/v1/groups/ops/members', { token })).json.members.length, 2)
})

test('any request of the catalogue can be called, those of plugins included, once per key', async (t) => {
  const { plugin, painted } = painter()
  const { server, call } = await apiServer(t, { plugins: [plugin] })
  const token = await tokenOf(await server.user('alice'))
  const json = {
    user: 'bob',
    pixels: Buffer.from('abc').toString('base64'),
    layers: [{ title: 'sky' }, { title: 'sea' }],
  }
  const paint = (body: unknown, key?: string) =>
    call('/v1/call/paint', { token, json: body, ...(key !== undefined && { headers: { 'Idempotency-Key': key } }) })
  const first = await paint(json)
  t.deepEqual([first.status, first.json], [200, { pixels: Buffer.from('cba').toString('base64') }])
  const [once, twice] = [await paint({ ...json, layers: [] }, 'k1'), await paint({ ...json, layers: [] }, 'k1')]
  t.deepEqual(once.json, twice.json)
  t.deepEqual([once.headers['idempotency-replayed'], twice.headers['idempotency-replayed']], [undefined, 'true'])
  t.deepEqual(painted, ['alice bob sky+sea', 'alice bob '])
  t.is(outcome(await paint({ ...json, user: 'carol' }, 'k1')), '422 key_reused')
  t.is(outcome(await paint({ ...json, user: 'forbidden' })), '409 painter.forbidden')
  t.deepEqual((await call('/v1/call/ping', { token, method: 'POST' })).json, {})
})

test('refusals are problems with the name of the failure', async (t) => {
  const { plugin } = painter()
  const { server, url, call } = await apiServer(t, { plugins: [plugin], limits: { text: 10 } })
  const token = await tokenOf(await server.user('alice'))
  const send = (json: unknown) => call('/v1/messages', { token, json })
  const paint = (json: unknown) => call('/v1/call/paint', { token, json })
  const raw = (body: string | Buffer, path = '/v1/to/alice') => call(path, { token, method: 'POST', body })
  const cases: readonly (readonly [Promise<ApiAnswer>, string])[] = [
    [send({ to: 'nobody', text: 'hi' }), '404 user_not_exist'],
    [send({ group: 'nothing', text: 'hi' }), '404 group_not_exist'],
    [send({ to: 'alice', text: 'longer than ten' }), '413 too_large'],
    [send({ to: 'alice', text: '' }), '400 invalid_value'],
    [send({ to: 'alice', text: 5 }), '400 invalid_value'],
    [send({ to: 'alice', text: 'hi', colour: 'red' }), '400 invalid_value'],
    [send({ to: 'alice', group: 'ops', text: 'hi' }), '400 invalid_value'],
    [send({ text: 'hi' }), '400 invalid_value'],
    [send(null), '400 invalid_value'],
    [send([{}]), '400 invalid_value'],
    [raw('{"to"', '/v1/messages'), '400 invalid_value'],
    [raw(Buffer.of(0xff, 0xfe)), '400 invalid_value'],
    [raw(''), '400 invalid_value'],
    [raw('x'.repeat(300_000)), '413 payload_too_large'],
    [paint({ user: 'bob', pixels: '!!' }), '400 invalid_value'],
    [paint({ user: 'bob', pixels: '', layers: {} }), '400 invalid_value'],
    [paint({ user: 'bob', pixels: '', layers: [{ title: 'x', depth: 1 }] }), '400 invalid_value'],
    [paint({ pixels: '' }), '400 invalid_value'],
    [call('/v1/history/bob?limit=many', { token }), '400 invalid_value'],
    [call('/v1/history/bob?with=carol', { token }), '400 invalid_value'],
    [call('/v1/history/%ff', { token }), '400 bad_request'],
    [call('/v1/call/message_stored', { token, json: {} }), '404 unknown_type'],
    [call('/v1/nothing', { token }), '404 not_found'],
    [call('/v1', { token }), '404 not_found'],
    [call('/v1/inbox', { token, method: 'DELETE' }), '405 method_not_allowed'],
    [call('/v1/messages', { token }), '405 method_not_allowed'],
    [call('/v1/inbox'), '401 bad_token'],
    [call('/v1/inbox', { token: 'chatctl_x' }), '401 bad_token'],
    [call(`/v1/inbox?token=${token}`), '401 bad_token'],
  ]
  for (const [answer, expected] of cases) t.is(outcome(await answer), expected)
  t.is((await call('/v1/inbox')).headers['www-authenticate'], 'Bearer')
  const key = { token, method: 'POST', body: 'hi', headers: { 'Idempotency-Key': 'two words' } }
  t.is(outcome(await call('/v1/to/alice', key)), '400 invalid_value')

  const head = await call('/v1/inbox', { token, method: 'HEAD' })
  t.deepEqual([head.status, head.text], [200, ''])
  const options = await call('/v1/messages', { method: 'OPTIONS' })
  t.deepEqual([options.status, options.headers.allow], [204, 'OPTIONS, POST'])
  t.is((await fetch(`${url}/v1/inbox`, { method: 'OPTIONS' })).headers.get('access-control-allow-origin'), null)
})

test('a user over the rate gets 429 with Retry-After, whichever way the requests come', async (t) => {
  const limits = { requestRate: 1, requestBurst: 3, requestPause: 0 }
  const { server, call } = await apiServer(t, { limits })
  const alice = await server.user('alice')
  const token = await tokenOf(alice)
  await server.clock.advance(10_000)
  // Two of three in the session: one is left over HTTP.
  await alice.says('alice', 'one')
  await alice.says('alice', 'two')
  t.is((await call('/v1/contacts', { token })).status, 200)
  const refused = await call('/v1/contacts', { token })
  t.is(outcome(refused), '429 rate_limited')
  t.regex(refused.headers['retry-after'] ?? '', /^[1-9]\d*$/)
  await alice.client.close()
  await server.settled()
  t.is(outcome(await call('/v1/contacts', { token })), '429 rate_limited')
  await server.clock.advance(2000)
  t.is((await call('/v1/contacts', { token })).status, 200)
})

test('a scope that a token has not is refused; credentials and sessions are for no token', async (t) => {
  const { server, call } = await apiServer(t)
  const root = await server.user('root', { role: 'admin' })
  const of = async (scope: string) => {
    const token = await tokenOf(root, { scope })
    return async (name: string, json: unknown = {}) => outcome(await call(`/v1/call/${name}`, { token, json }))
  }
  const [send, read, manage] = [await of('send'), await of('read'), await of('manage')]
  const hi = { to: 'root', text: 'hi' }
  t.deepEqual(
    [await send('send_message', hi), await read('send_message', hi), await manage('send_message', hi)],
    [200, '403 out_of_scope', '403 out_of_scope'],
  )
  t.deepEqual(
    [await send('query_rooms'), await read('query_rooms'), await manage('query_users')],
    ['403 out_of_scope', 200, '403 out_of_scope'],
  )
  const room = { group: 'ops' }
  t.deepEqual(
    [await send('create_room', room), await read('create_room', room), await manage('create_room', room)],
    ['403 out_of_scope', '403 out_of_scope', 200],
  )
  const all = await of('send,read,manage')
  const never = ['receive', 'consume', 'logout', 'query_tokens', 'query_devices']
  for (const name of never) t.is(await all(name, name === 'consume' ? { consumer: 'x' } : {}), '403 not_allowed', name)
  const credentials = { name: 'x', send: true, read: true, manage: true }
  t.is(await all('create_token', credentials), '403 not_allowed')
  t.is(await all('revoke_token', { id: 1 }), '403 not_allowed')
  t.is(await all('act_as', { user: 'root' }), '403 not_allowed')
})

test('a token with targets reaches them only, and does not tell whether others exist', async (t) => {
  const { server, call } = await apiServer(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await server.user('carol')
  await alice.joins('ops')
  await bob.joins('ops')
  await alice.joins('secret')
  const token = await tokenOf(alice, { to: '@ops,bob' })
  const post = (path: string, body: unknown) => call(path, { token, json: body })
  t.is((await post('/v1/messages', { to: 'BOB', text: 'hi' })).status, 201)
  t.is((await post('/v1/messages', { group: 'ops', text: 'hi' })).status, 201)
  t.is((await call('/v1/history/group/ops', { token })).status, 200)

  const answers = [
    await post('/v1/messages', { to: 'carol', text: 'hi' }),
    await post('/v1/messages', { to: 'nobody', text: 'hi' }),
    await post('/v1/messages', { group: 'secret', text: 'hi' }),
    await post('/v1/messages', { group: 'nothing', text: 'hi' }),
    await post('/v1/call/schedule_message', { group: 'secret', text: 'hi', delay: 1 }),
    await post('/v1/call/invite_to_room', { group: 'ops', user: 'carol' }),
    await post('/v1/call/query_profiles', { users: [{ user: 'bob' }, { user: 'carol' }] }),
    await call('/v1/history/carol', { token }),
    await call('/v1/history/nobody', { token }),
    await call('/v1/groups/secret/members', { token }),
    await call('/v1/search?text=hi&group=secret', { token }),
  ]
  t.deepEqual([...new Set(answers.map(outcome))], ['403 out_of_scope'])
  t.is(new Set(answers.map(({ text }) => text)).size, 1)
  t.is((await call('/v1/search?text=hi&with=bob', { token })).status, 200)
  // Requests about everything, and by the id of a message.
  for (const path of ['/v1/inbox', '/v1/contacts', '/v1/search?text=hi', '/v1/groups'])
    t.is(outcome(await call(path, { token })), '403 out_of_scope', path)
  t.is(outcome(await post('/v1/call/recall_message', { id: 1 })), '403 out_of_scope')
})

test('the log holds no token, whatever fails', async (t) => {
  const lines: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  const { server, call } = await apiServer(t, { log })
  const alice = await server.user('alice')
  const token = await tokenOf(alice)
  const hook = await alice.request(CreateIncomingHook, { name: 'x', to: 'alice' })
  await call('/v1/to/alice', { token, method: 'POST', body: 'hi' })
  await call('/v1/to/nobody', { token, method: 'POST', body: 'hi' })
  await call(`/hooks/${hook.token}`, { method: 'POST', body: 'hi' })
  await call(`/hooks/${hook.token}`, { method: 'POST', body: '{' })
  const wrong = `${token.slice(0, -6)}aaaaaa`
  await call('/v1/inbox', { token: wrong })
  await server.db.schema.dropTable('api_token')
  await server.db.schema.dropTable('incoming_hook')
  const other = newToken()
  t.is((await call('/v1/inbox', { token: other })).status, 500)
  t.is((await call(`/hooks/${other}`, { method: 'POST', body: 'hi' })).status, 500)
  await server.settled()
  const all = lines.join('')
  t.true(lines.length > 0 && all.includes('no such table'))
  for (const secret of [token, hook.token, hook.secret, wrong, other]) t.false(all.includes(secret))
  t.true(server.failures().length > 0)
})

test('every line of a request of a token that names somebody is known as a target', async (t) => {
  const { server } = await apiServer(t)
  const others = /^(clientId|client(First|Final)|font|color|note|about|avatar|emoji|nickname|name|key|consumer|type)$/
  const targets = /^(to|user|with|from|group)$/
  for (const message of server.app.catalogue)
    if (message.from === 'client' && scopeOf(message) !== undefined)
      for (const [name, field] of Object.entries(message.fields))
        if (field.kind === 'line') t.true(targets.test(name) || others.test(name), `${message.name}.${name}`)
})

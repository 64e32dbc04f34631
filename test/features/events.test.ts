import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Consume, DeleteConsumer, QueryConsumers, QueryTokens, RevokeToken, SetUserActive } from '../../client/index.ts'
import { KeepAlive, SessionEnded, SessionStarted } from '../../core/index.ts'
import type { TestServerOptions } from '../../testing/index.ts'
import { apiServer, type TokenOptions, tokenOf } from '../support/http/api.ts'
import { EventReader } from '../support/http/events.ts'
import { openSocket } from '../support/http/http.ts'

/** Bob reads events over HTTP; Alice writes. */
async function open(t: ExecutionContext, options: TestServerOptions & TokenOptions = {}) {
  const { server, url, call } = await apiServer(t, options)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const token = await tokenOf(bob, options)
  const readers: EventReader[] = []
  t.teardown(() => {
    for (const reader of readers) reader.close()
  })
  const read = async (path = '/v1/events?consumer=ci', headers: Record<string, string> = {}) => {
    const reader = await EventReader.open(url, path, { token, headers })
    readers.push(reader)
    return reader
  }
  /** Opens a stream, and takes the event that begins it. */
  const ready = async (path?: string, headers?: Record<string, string>) => {
    const reader = await read(path, headers)
    const first = await reader.next()
    t.is(first?.event, 'ready')
    return reader
  }
  const says = async (...texts: string[]) => {
    const ids: number[] = []
    for (const text of texts) ids.push((await alice.says('bob', text)).id)
    return ids
  }
  const state = async (name = 'ci') => {
    const { consumers } = await bob.request(QueryConsumers, {})
    return consumers.find(({ consumer }) => consumer === name)
  }
  return { server, url, call, alice, bob, token, read, ready, says, state }
}

test('events begin with the next message, and come again until Last-Event-ID acknowledges them', async (t) => {
  const { read, ready, says, state } = await open(t)
  await says('before')
  const reader = await read()
  t.is(reader.headers['content-type'], 'text/event-stream; charset=utf-8')
  t.is(reader.headers['x-accel-buffering'], 'no')
  t.like(await reader.next(), { event: 'ready', data: { consumer: 'ci', isNew: true, pending: 0 } })
  t.is(reader.retry, 2000)
  const [first] = await says('one', 'zwei\n2', '三')
  t.like(await reader.next(), { id: String(first), event: 'message', data: { id: first, from: 'alice', text: 'one' } })
  t.deepEqual(await reader.texts(2), ['zwei\n2', '三'])
  reader.close()

  const again = await ready()
  t.deepEqual(await again.texts(3), ['one', 'zwei\n2', '三'])
  again.close()
  const later = await ready('/v1/events?consumer=ci', { 'Last-Event-ID': String(first) })
  t.deepEqual(await later.texts(2), ['zwei\n2', '三'])
  t.is((await state())?.position, first)
})

test('POST /v1/events/ack acknowledges an event and those sent before it', async (t) => {
  const { call, token, ready, says, state } = await open(t)
  const reader = await ready()
  const [, second, third] = await says('one', 'two', 'three')
  await reader.texts(3)
  const ack = (json: unknown) => call('/v1/events/ack', { token, json })
  t.is((await ack({ consumer: 'ci', id: second })).status, 200)
  t.like(await state(), { position: second, pending: 0 })
  reader.close()
  const again = await ready()
  t.deepEqual(await again.texts(1), ['three'])
  t.is((await ack({ consumer: 'ci', id: third })).status, 200)
  t.is((await ack({ consumer: 'none', id: third })).json.name, 'no_consumer')
  for (const wrong of [{}, { consumer: 'ci' }, { consumer: 'ci', id: '7' }, { consumer: 'ci', id: 0 }])
    t.is((await ack(wrong)).status, 400)
})

test('with ack=sent an event comes once', async (t) => {
  const { server, ready, says } = await open(t)
  const reader = await ready('/v1/events?consumer=ci&ack=sent')
  await says('one', 'two')
  await reader.texts(2)
  await server.settled()
  reader.close()
  const again = await ready('/v1/events?consumer=ci&ack=sent')
  await says('three')
  t.deepEqual(await again.texts(1), ['three'])
})

test('a reader that acknowledges only by coming again gets all events, a window at a time', async (t) => {
  const { ready, says } = await open(t, { limits: { unacknowledged: 5 } })
  const first = await ready()
  const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`)
  await says(...texts)
  const heard: string[] = []
  let reader = first
  for (;;) {
    const events = await reader.end()
    heard.push(...events.map(({ data }) => data.text))
    if (heard.length >= 10) break
    t.is(reader.retry, 50)
    reader = await ready('/v1/events?consumer=ci', { 'Last-Event-ID': String(events.at(-1)?.id) })
  }
  t.deepEqual(heard, texts.slice(0, 10))
})

test('a consumer that was deleted goes on where its reader was', async (t) => {
  const { bob, ready, says } = await open(t)
  const reader = await ready()
  const [first] = await says('one')
  await reader.texts(1)
  await bob.request(DeleteConsumer, { consumer: 'ci' })
  t.deepEqual(
    (await reader.end()).map(({ event }) => event),
    ['consumer_taken', 'closed'],
  )
  await says('two')
  const again = await ready('/v1/events?consumer=ci', { 'Last-Event-ID': String(first) })
  t.deepEqual(await again.texts(1), ['two'])
})

test('resync tells a reader whose place is not that of the consumer', async (t) => {
  const { call, token, ready, says } = await open(t)
  const reader = await ready()
  const [first, second] = await says('one', 'two')
  await reader.texts(2)
  await call('/v1/events/ack', { token, json: { consumer: 'ci', id: second } })
  reader.close()
  const behind = await ready('/v1/events?consumer=ci', { 'Last-Event-ID': String(first) })
  t.like(await behind.next(), { event: 'resync', data: { reason: 'acknowledged', position: second } })
  behind.close()
  // Of a database that went back to a backup.
  const ahead = await ready('/v1/events?consumer=ci', { 'Last-Event-ID': '1000000' })
  t.like(await ahead.next(), { event: 'resync', data: { reason: 'ahead', position: second } })
  await says('three')
  t.deepEqual(await ahead.texts(1), ['three'])
})

test('a second reader of a consumer takes it over', async (t) => {
  const { ready, says } = await open(t)
  const first = await ready()
  const second = await ready()
  t.deepEqual(
    (await first.end()).map(({ event }) => event),
    ['consumer_taken', 'closed'],
  )
  await says('one')
  t.deepEqual(await second.texts(1), ['one'])
})

test('a stream ends when its token is revoked or expires, and when its user is disabled', async (t) => {
  const { server, bob, token, url, read } = await open(t)
  const reader = await read()
  await reader.next()
  const { tokens } = await bob.request(QueryTokens, {})
  await bob.request(RevokeToken, { id: tokens[0]?.id ?? 0 })
  t.like(await reader.end(), [{ event: 'closed', data: { reason: 'logged_out' } }])
  const refused = await EventReader.open(url, '/v1/events?consumer=ci', { token })
  t.is(refused.status, 401)
  refused.close()

  const other = await tokenOf(bob)
  const second = await EventReader.open(url, '/v1/events?consumer=ci', { token: other })
  await second.next()
  const root = await server.user('root', { role: 'admin' })
  await root.request(SetUserActive, { user: 'bob', active: false })
  t.is((await second.end()).at(-1)?.event, 'closed')
})

test('a token with targets gets their events only, and others do not fill its window', async (t) => {
  const { server, alice, bob, ready } = await open(t, { to: '@ops', limits: { unacknowledged: 3 } })
  await alice.joins('ops')
  await bob.joins('ops')
  const reader = await ready()
  for (let index = 0; index < 10; index++) await alice.says('bob', `private ${index}`)
  await alice.says({ group: 'ops' }, 'to all')
  t.deepEqual(await reader.texts(1), ['to all'])
  await server.settled()
})

test('pushes from before the consumer is active come after the beginning', async (t) => {
  const { server, read } = await open(t)
  server.app.on(SessionStarted, (session) => session.send(KeepAlive, {}))
  const reader = await read()
  t.is((await reader.next())?.event, 'ready')
  t.is((await reader.next())?.event, KeepAlive.name)
})

test('a reader that stops reading costs bounded memory, and is cut off', async (t) => {
  const { server, url, alice, token } = await open(t, { limits: { unacknowledged: 10_000 } })
  const socket = await openSocket(url)
  t.teardown(() => socket.destroy())
  socket.write(`GET /v1/events?consumer=ci HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  await once(socket, 'data')
  socket.pause()
  const ended = server.next(SessionEnded)
  // More than the buffers of the system hold.
  const text = 'x'.repeat(16_000)
  for (let count = 0; count < 1000; count++) await alice.says('bob', text)
  for (let second = 0; second < 20; second++) await server.clock.advance(1000)
  t.is((await ended).user.name, 'bob')
  const { id } = await alice.says('bob', 'the last')
  const reader = await EventReader.open(url, '/v1/events?consumer=ci', { token })
  t.teardown(() => reader.close())
  const ids: number[] = []
  while (ids.at(-1) !== id) {
    const event = await reader.next()
    if (event?.event === 'message') ids.push(event.data.id)
  }
  t.is(ids.length, 1001)
})

test('silence is broken by comments', async (t) => {
  const { server, ready, says } = await open(t)
  const reader = await ready()
  await server.clock.advance(16_000)
  await says('one')
  await reader.texts(1)
  t.true(reader.comments.length > 0)
})

test('wait answers with the next messages, or with 204 after its time', async (t) => {
  const { server, call, token, says, state } = await open(t)
  const wait = (more = '') => call(`/v1/wait?consumer=sh${more}`, { token })
  const nothing = wait('&seconds=1')
  await server.next(Consume)
  await server.clock.advance(1000)
  t.is((await nothing).status, 204)
  await says('one', 'two')
  const answer = await wait()
  t.like(
    answer.json.messages.map(({ text }: { text: string }) => text),
    ['one', 'two'],
  )
  await server.settled()
  t.like(await state('sh'), { pending: 0, position: answer.json.messages[1].id })
  const waiting = wait('&seconds=60')
  await server.next(Consume)
  await says('three')
  t.is((await waiting).json.messages[0].text, 'three')

  await says('four')
  const later = await wait('&ack=later')
  t.is((await wait('&ack=later')).json.messages[0].text, 'four')
  const { id } = later.json.messages[0]
  await says('five')
  t.is((await wait(`&after=${id}`)).json.messages[0].text, 'five')
  for (const wrong of ['&seconds=61', '&seconds=0', '&seconds=x', '&after=x'])
    t.is((await wait(wrong)).status, 400, wrong)
  t.is((await call('/v1/wait', { token })).status, 400)
})

test('a reader counts as a session of its user, and needs the scope', async (t) => {
  const { url, read, bob } = await open(t, { limits: { sessionsPerUser: 2 } })
  const reader = await read()
  await reader.next()
  const refused = await read('/v1/events?consumer=other')
  t.is(refused.status, 429)
  const sender = await tokenOf(bob, { scope: 'send' })
  t.is((await EventReader.open(url, '/v1/events?consumer=x', { token: sender })).status, 403)
  reader.close()
})

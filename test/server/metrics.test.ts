import { readFile } from 'node:fs/promises'
import test from 'ava'
import { AcknowledgeEvent, Consume, CreateToken, QueryMetrics } from '../../client/index.ts'
import { clientMessage, definePlugin, HttpRefusal, type MetricFamily, SetupError } from '../../core/index.ts'
import { type TestServer, testServer } from '../../testing/index.ts'
import { ask, startHttpServer } from '../support/http/http.ts'
import { refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const LISTEN = { host: '127.0.0.1', port: 0 }

/** The values of a metric, by `suffix` and labels. */
async function valuesOf({ app }: Pick<TestServer, 'app'>, name: string): Promise<Record<string, number>> {
  const family = (await app.metrics.collect()).find((one) => one.name === name)
  return Object.fromEntries(
    (family?.samples ?? []).map(({ suffix = '', labels = {}, value }) => [
      [suffix, ...Object.values(labels)].filter(Boolean).join(' '),
      value,
    ]),
  )
}

const Vote = clientMessage({ type: 1400, name: 'vote', about: 'Votes.', allow: 'user', fields: {} })

test('a plugin counts, observes and measures; its metrics have its name', async (t) => {
  let open = 2
  const polls = definePlugin({
    name: 'my-polls',
    api: '^1.2',
    messages: { Vote },
    setup(app) {
      const votes = app.metrics.counter('votes', 'votes given')
      const byColour = app.metrics.counters('colours', 'votes by colour', ['colour'])
      const times = app.metrics.histogram('vote_seconds', 'time to vote', [0.1, 1])
      app.metrics.gauge('open', 'open polls', () => open)
      app.metrics.gauge('rooms', 'open polls by room', async () => [{ labels: { room: 'a' }, value: 1 }])
      app.metrics.gauge('unknown', 'not known now', () => undefined)
      app.handle(Vote, () => {
        votes.add()
        byColour.of('red').add(3)
        times.observe(0.1)
        times.observe(5, 2)
      })
    },
  })
  await using server = await testServer({ plugins: [polls] })
  const ann = await server.user('ann')
  await ann.request(Vote, {})
  open = 7
  const values = (name: string) => valuesOf(server, `chatctl_plugin_my_polls_${name}`)
  t.deepEqual(await values('votes'), { '': 1 })
  t.deepEqual(await values('colours'), { red: 3 })
  t.deepEqual(await values('vote_seconds'), { 'bucket 0.1': 1, 'bucket 1': 1, 'bucket +Inf': 3, sum: 10.1, count: 3 })
  t.deepEqual(await values('open'), { '': 7 })
  t.deepEqual(await values('rooms'), { a: 1 })
  t.deepEqual(await values('unknown'), {})
})

test('labels without end are counted together; a metric that throws is left out and is a failure of its plugin', async (t) => {
  const plugin = definePlugin({
    name: 'wild',
    setup(app) {
      const wild = app.metrics.counters('names', 'by name', ['name'])
      for (let n = 0; n < 1500; n++) wild.of(`n${n}`).add()
      app.metrics.gauge('broken', 'throws', () => {
        throw new Error('no value')
      })
    },
  })
  await using server = await testServer({ plugins: [plugin] })
  const names = await valuesOf(server, 'chatctl_plugin_wild_names')
  t.is(Object.keys(names).length, 1001)
  t.is(names.other, 500)
  t.false((await server.app.metrics.collect()).some(({ name }) => name.endsWith('broken')))
  // Read before the gauge of this plugin: twice it has failed until now.
  t.is((await valuesOf(server, 'chatctl_plugin_failures')).wild, 2)
  t.true(server.failures().every(({ plugin, event }) => plugin === 'wild' && event === 'metrics'))
})

test('a metric with a name that is invalid or taken stops the start', async (t) => {
  for (const [name, message] of [
    ['Votes', /named such as/],
    ['votes_total', /without "_total"/],
    ['taken', /metric chatctl_plugin_bad_taken is defined already/],
  ] as const) {
    const plugin = definePlugin({
      name: 'bad',
      setup(app) {
        app.metrics.counter('taken', 'once')
        app.metrics.counter(name, 'twice')
      },
    })
    await t.throwsAsync(testServer({ plugins: [plugin] }), { instanceOf: SetupError, message })
  }
})

test('requests are counted by type and outcome, also those refused before their handler', async (t) => {
  const rule = definePlugin({
    name: 'rule',
    setup(app) {
      app.http.route({
        prefix: '/x',
        handle: () => {
          throw new HttpRefusal(404)
        },
      })
    },
  })
  await using server = await testServer({ plugins: [rule] })
  const ann = await server.user('ann')
  await server.user('bob')
  for (const text of ['one', 'two']) await ann.says('bob', text)
  t.is(await refusal(t, ann.client.send('nobody', 'hi')), 'user_not_exist')
  t.is(await refusal(t, ann.request(QueryMetrics, {})), 'not_allowed')
  const requests = await valuesOf(server, 'chatctl_requests')
  t.is(requests['send_message ok'], 2)
  t.is(requests['send_message user_not_exist'], 1)
  t.is(requests['query_metrics not_allowed'], 1)
})

test('messages, commits and their times agree; sessions and users are counted', async (t) => {
  await using server = await testServer()
  const [ann, bob] = [await server.user('ann'), await server.user('bob')]
  await server.user('bob')
  await Promise.all(Array.from({ length: 20 }, (_, n) => ann.says('bob', `${n}`)))
  for (let n = 0; n < 20; n++) await bob.hears(/./)
  t.deepEqual(await valuesOf(server, 'chatctl_messages_stored'), { '': 20 })
  const commits = await valuesOf(server, 'chatctl_commit_messages')
  t.is(commits.sum, 20)
  t.true((commits.count ?? 0) >= 1)
  for (const name of ['chatctl_message_store_seconds', 'chatctl_message_delivery_seconds'])
    t.is((await valuesOf(server, name)).count, 20)
  t.deepEqual(await valuesOf(server, 'chatctl_messages_fanned_out'), { '': 40 })
  t.deepEqual(await valuesOf(server, 'chatctl_sessions'), { '': 3 })
  t.deepEqual(await valuesOf(server, 'chatctl_users_online'), { '': 2 })
})

test('the lag of consumers is the age of the oldest event that is not acknowledged', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  const bob = (await server.user('bob')).client
  await bob.request(Consume, { consumer: 'shop' })
  const [first, second] = [await ann.says('bob', 'one'), await ann.says('bob', 'two')]
  await server.settled()
  await server.clock.advance(90_000)
  const lag = () => valuesOf(server, 'chatctl_consumer_lag_seconds')
  t.deepEqual(await valuesOf(server, 'chatctl_consumers_active'), { '': 1 })
  t.deepEqual(await valuesOf(server, 'chatctl_consumer_events_in_flight'), { '': 2 })
  t.deepEqual(await lag(), { '': 90 })
  for (const { id } of [first, second]) await bob.request(AcknowledgeEvent, { consumer: 'shop', id })
  t.deepEqual(await lag(), { '': 0 })
  await bob.close()
  await server.settled()
  t.deepEqual(await valuesOf(server, 'chatctl_consumers_active'), { '': 0 })
})

test('/metrics at an address of its own has them in the OpenMetrics format', async (t) => {
  const { server, user, operator } = await startLocalServer(t, { metrics: LISTEN })
  const { metrics: url } = server.status() as unknown as { metrics: string }
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  await (await user('alice')).send('alice', 'a "note"\n')
  const { origin } = new URL(url)
  const { status, headers, text } = await ask(origin, '/metrics?x=1')
  t.is(status, 200)
  t.is(headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  t.true(text.endsWith('\n# EOF\n'))
  t.regex(text, /^chatctl_requests_total\{type="send_message",outcome="ok"\} 1$/m)
  t.regex(text, /^# TYPE chatctl_message_store_seconds histogram$/m)
  t.regex(text, /^chatctl_message_store_seconds_bucket\{le="\+Inf"\} 1$/m)
  t.regex(text, /^process_cpu_seconds_total \d/m)
  t.is((await ask(origin, '/')).status, 404)
  t.is((await ask(origin, '/metrics', { method: 'POST' })).status, 405)
  t.is((await ask(origin, '/metrics', { method: 'HEAD' })).status, 200)
  // The operator reads the same.
  const { json } = await (await operator()).request(QueryMetrics, {})
  const names = (JSON.parse(json) as MetricFamily[]).map(({ name }) => name)
  t.deepEqual(
    [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name),
    names,
  )
})

test('/metrics on the HTTP listener needs a token of an admin with the scope read', async (t) => {
  await using server = await testServer()
  const [ann, root] = [await server.user('ann'), await server.user('root', { role: 'admin' })]
  const url = await server.http()
  const scopes = { send: false, read: true, manage: false }
  const tokenOf = async ({ client }: typeof ann, change: object = {}) =>
    (await client.request(CreateToken, { name: JSON.stringify(change), ...scopes, ...change })).token
  const scrape = (token?: string) =>
    ask(url, '/metrics', { headers: token === undefined ? {} : { Authorization: `Bearer ${token}` } })
  const { status, headers, text } = await scrape(await tokenOf(root))
  t.is(status, 200)
  t.regex(String(headers['content-type']), /^application\/openmetrics-text/)
  t.regex(text, /^chatctl_sessions 2$/m)
  t.like(await scrape(), { status: 401, headers: { 'www-authenticate': 'Bearer' } })
  t.is((await scrape('chatctl_wrong')).status, 401)
  for (const token of [
    await tokenOf(ann),
    await tokenOf(root, { read: false, send: true }),
    await tokenOf(root, { targets: 'ann' }),
  ])
    t.is((await scrape(token)).status, 403)
})

test('a taken address stops the start', async (t) => {
  const { server } = await startLocalServer(t, { metrics: LISTEN })
  const port = Number(new URL((server.status() as unknown as { metrics: string }).metrics).port)
  await t.throwsAsync(startLocalServer(t, { metrics: { ...LISTEN, port } }), {
    message: /for metrics: the address is in use/,
  })
})

test('the example dashboard and rules name only metrics that exist', async (t) => {
  await using server = await testServer()
  const ann = await server.user('ann')
  await ann.says('ann', 'note')
  const { json } = await (await server.operator()).request(QueryMetrics, {})
  const known = new Set(
    (JSON.parse(json) as MetricFamily[]).flatMap(({ name, type }) => {
      if (type === 'counter') return [`${name}_total`]
      return type === 'gauge' ? [name] : ['bucket', 'count', 'sum'].map((part) => `${name}_${part}`)
    }),
  )
  for (const file of ['grafana-dashboard.json', 'prometheus/rules.yml']) {
    const text = await readFile(new URL(`../../../examples/${file}`, import.meta.url), 'utf8')
    const used = new Set([...text.matchAll(/(?<![\w:])(chatctl|process|nodejs)_\w+/g)].map(([name]) => name))
    t.true(used.size > 5, file)
    t.deepEqual(
      [...used].filter((name) => !known.has(name)),
      [],
      file,
    )
  }
})

test('a server whose database does not answer is not ready', async (t) => {
  await using server = await testServer()
  const url = await server.http()
  t.is((await ask(url, '/readyz')).status, 200)
  // The only connection of the pool is taken: the database is asked and does not answer.
  const held = await server.db.client.acquireConnection()
  const asked = [ask(url, '/readyz'), ask(url, '/readyz')]
  while (server.status().httpRequests !== 3) await new Promise(setImmediate)
  server.clock.jump(2000)
  for (const { status, text } of await Promise.all(asked)) {
    t.is(status, 503)
    t.is(text, 'not ready: the database does not answer\n')
  }
  t.is(server.clock.timers(2000).set, 2, 'the second one shared the look')
  await server.db.client.releaseConnection(held)
  t.is((await ask(url, '/readyz')).status, 200)
  t.is((await ask(url, '/healthz')).status, 200)
})

test('a server that stops is not ready, and a refused request says why', async (t) => {
  const { url, server } = await startHttpServer(t)
  t.is((await ask(url, '/readyz')).text, 'ok\n')
  await server.stop()
  await t.throwsAsync(ask(url, '/readyz'), { code: 'ECONNREFUSED' })
})

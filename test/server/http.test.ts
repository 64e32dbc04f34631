import { once } from 'node:events'
import test from 'ava'
import { definePlugin, HttpRefusal, type HttpRoute, SetupError } from '../../core/index.ts'
import { ask, openSocket, readAll, startHttpServer } from '../support/http/http.ts'
import { startLocalServer } from '../support/server.ts'

/** A promise that is resolved by `open`. */
function gate<T = void>() {
  let open: (value: T) => void = () => {}
  const passed = new Promise<T>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

/** A plugin with these routes. */
const withRoutes = (...routes: HttpRoute[]) =>
  definePlugin({
    name: 'doors',
    setup(app) {
      for (const route of routes) app.http.route(route)
    },
  })

const answering = (prefix: string, text: string): HttpRoute => ({ prefix, handle: (_, response) => response.end(text) })

test('a page connects if its origin has the host that it asked for', async (t) => {
  const server = await startHttpServer(t)
  const { host } = new URL(server.url)
  const allowed = async (headers: Record<string, string>) => (await server.status({ host, ...headers })) === 101
  t.true(await allowed({ origin: `http://${host}` }))
  t.true(await allowed({ origin: `https://${host}` }), 'behind a proxy that ends TLS')
  t.true(await allowed({ origin: 'http://localhost:7380', host: 'localhost:7380' }))
  t.true(await allowed({ origin: 'https://chat.test', host: 'chat.test:443' }), 'the default port may be left out')
  for (const origin of [
    'http://evil.example',
    `http://${host}.evil.example`,
    `http://${host}1`,
    `http://${host}/`,
    `http://user@${host}`,
    `chrome-extension://${host}`,
    'null',
    '',
    'http://',
    `http://${host}, http://evil.example`,
  ])
    t.false(await allowed({ origin }), origin)
  t.false(await allowed({ origin: `http://evil@${host}`, host: `evil@${host}` }))
})

test('a program without origin connects, a browser that sends none does not', async (t) => {
  const server = await startHttpServer(t)
  t.is(await server.status({}), 101)
  t.is(await server.status({ 'user-agent': 'node' }), 101)
  t.is(await server.status({ 'user-agent': 'Mozilla/5.0 (X11)' }), 403)
  t.is(await server.status({ 'sec-fetch-mode': 'websocket' }), 403)
  t.is(await server.status({ 'sec-fetch-site': 'cross-site' }), 403)
})

test('a foreign name that resolves to this machine is no origin of its own page', async (t) => {
  const rebound = { origin: 'http://evil.example:7380', host: 'evil.example:7380' }
  t.is(await (await startHttpServer(t)).status(rebound), 403)
  const behindProxy = await startHttpServer(t, { trustedProxies: ['127.0.0.1'] })
  t.is(await behindProxy.status({ ...rebound, 'x-forwarded-for': '203.0.113.7' }), 101)
})

test('with origins in the settings only these connect, whatever the host', async (t) => {
  const server = await startHttpServer(t, { origins: ['https://chat.example.org', 'http://localhost:8080'] })
  const { host } = new URL(server.url)
  t.is(await server.status({ origin: 'https://chat.example.org' }), 101)
  t.is(await server.status({ origin: 'http://localhost:8080' }), 101)
  t.is(await server.status({}), 101)
  for (const origin of [
    `http://${host}`,
    'http://chat.example.org',
    'https://chat.example.org:444',
    'https://example.org',
  ])
    t.is(await server.status({ origin }), 403, origin)
})

test('only a trusted proxy names the address of a peer', async (t) => {
  const seen: string[] = []
  const plugin = withRoutes({
    prefix: '/me',
    handle({ address }, response) {
      seen.push(address)
      response.end(address)
    },
  })
  const addressFrom = (trustedProxies: readonly string[]) => async (forwarded: string | string[]) => {
    const { url } = await startHttpServer(t, { plugins: [plugin], trustedProxies })
    return (await ask(url, '/me', { headers: { 'x-forwarded-for': forwarded } })).text
  }
  const none = addressFrom([])
  t.is(await none('203.0.113.7'), '127.0.0.1')

  const one = addressFrom(['127.0.0.1'])
  t.is(await one('203.0.113.7'), '203.0.113.7')
  t.is(await one('10.9.9.9, 203.0.113.7'), '203.0.113.7', 'what a peer claims itself stands further left')
  t.is(await one(['10.9.9.9', '203.0.113.7']), '203.0.113.7', 'several headers are one list')
  t.is(await one('::ffff:203.0.113.7'), '203.0.113.7')
  t.is(await one('203.0.113.7:4711'), '203.0.113.7')
  t.is(await one('[2001:db8::1]:4711'), '2001:db8::1')
  t.is(await one('2001:db8::1'), '2001:db8::1')
  t.is(await one('203.0.113.7, unknown'), '127.0.0.1')
  t.is(await one(''), '127.0.0.1')

  const chain = addressFrom(['127.0.0.0/8', '10.0.0.0/8', '2001:db8::/32'])
  t.is(await chain('198.51.100.1, 203.0.113.7, 10.1.2.3, 2001:db8::5'), '203.0.113.7')
  t.is(await chain('10.1.2.3'), '10.1.2.3', 'all are proxies: the farthest one')
})

test('a WebSocket through a trusted proxy counts for the address of its peer', async (t) => {
  const limits = { connectRate: 0.001, connectBurst: 1 }
  const server = await startHttpServer(t, { limits, trustedProxies: ['127.0.0.1'] })
  const from = (address: string) => server.status({ 'x-forwarded-for': address })
  t.is(await from('203.0.113.7'), 101)
  t.is(await from('203.0.113.7'), 503)
  t.is(await from('203.0.113.8'), 101)
  t.is(await from('203.0.113.9, 203.0.113.7'), 503)
})

test('settings that mean nothing are refused at the start', async (t) => {
  const { server } = await startLocalServer(t)
  const where = { host: '127.0.0.1', port: 0 }
  for (const proxy of ['proxy.example', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/x', ''])
    await t.throwsAsync(async () => server.listenHttp({ ...where, trustedProxies: [proxy] }), {
      instanceOf: SetupError,
      message: /trusted proxy/,
    })
  for (const origin of ['chat.example.org', 'https://chat.example.org/', 'ws://chat.example.org', '*'])
    await t.throwsAsync(async () => server.listenHttp({ ...where, origins: [origin] }), {
      instanceOf: SetupError,
      message: /no origin of a page/,
    })
})

test('the longest prefix has the request, at the border of a path segment', async (t) => {
  const plugins = [withRoutes(answering('/own', 'own'), answering('/own/files', 'files'))]
  const { url } = await startHttpServer(t, { plugins, without: ['page'] })
  const text = async (path: string) => (await ask(url, path)).text
  t.is(await text('/own'), 'own')
  t.is(await text('/own?x=/own/files'), 'own')
  t.is(await text('/own/'), 'own')
  t.is(await text('/own/users'), 'own')
  t.is(await text('/own/files/7'), 'files')
  for (const path of ['/own0', '/', '/own%2Ffiles', '/OWN', '//own', 'http://evil.example/own', '*'])
    t.is((await ask(url, path)).status, 404, path)
})

test('a plugin with a prefix that is taken, or is none, does not start', async (t) => {
  for (const prefix of ['/', '/chat', '/healthz', 'v1', '/v1/', '/a b', ''])
    await t.throwsAsync(startLocalServer(t, { plugins: [withRoutes(answering(prefix, 'x'))] }), {
      instanceOf: SetupError,
      message: /prefix/,
    })
})

test('a handler reads path, query, headers and body, and answers with what it likes', async (t) => {
  const plugin = withRoutes({
    prefix: '/echo',
    methods: ['POST'],
    async handle(request, response) {
      const { path, query, headers, method } = request
      const said = { path, word: query.get('word'), kind: headers['content-type'], method }
      response.writeHead(201, { 'Content-Type': 'application/json', 'Cache-Control': 'private' })
      response.end(JSON.stringify({ ...said, body: (await request.body()).toString() }))
    },
  })
  const { url } = await startHttpServer(t, { plugins: [plugin] })
  const headers = { 'content-type': 'text/plain' }
  const {
    status,
    headers: got,
    text,
  } = await ask(url, '/echo/a%20b?word=x%20y', { method: 'POST', headers, body: 'hi' })
  t.is(status, 201)
  t.deepEqual(JSON.parse(text), { path: '/echo/a%20b', word: 'x y', kind: 'text/plain', method: 'POST', body: 'hi' })
  t.is(got['cache-control'], 'private')
  t.is(got['x-content-type-options'], 'nosniff')
  t.like(await ask(url, '/echo'), { status: 405, headers: { allow: 'POST' } })
})

test('a faulty handler is answered with 500, and neither ends the process nor other requests', async (t) => {
  const faults: Record<string, HttpRoute['handle']> = {
    throws: () => {
      throw new Error('secret of the plugin')
    },
    rejects: async () => Promise.reject(new TypeError('secret of the plugin')),
    half: (_, response) => {
      response.setHeader('X-Half', 'secret').setHeader('Content-Length', 3)
      throw new Error('secret of the plugin')
    },
  }
  const failures: string[] = []
  const routes = Object.entries(faults).map(([name, handle]) => ({ prefix: `/${name}`, handle }))
  const broken: HttpRoute = {
    prefix: '/broken',
    handle(_, response) {
      response.writeHead(200, { 'Content-Length': 1000 }).write('begun')
      throw new Error('after the header')
    },
  }
  const late: HttpRoute = {
    prefix: '/late',
    handle(_, response) {
      response.end('done')
      response.write('too late')
    },
  }
  const { url, server } = await startHttpServer(t, { plugins: [withRoutes(...routes, broken, late)] })
  for (const name of Object.keys(faults)) {
    const { status, text, headers } = await ask(url, `/${name}`)
    t.is(status, 500, name)
    t.is(text, 'Internal Server Error\n')
    t.is(headers['x-half'], undefined)
    failures.push(name)
  }
  await t.throwsAsync(ask(url, '/broken'), { message: /aborted/ })
  t.is((await ask(url, '/late')).text, 'done')
  t.is((await ask(url, '/healthz')).text, 'ok\n')
  const [{ state, reason } = { state: '', reason: '' }] = server.status().plugins.filter(({ name }) => name === 'doors')
  t.is(state, 'degraded')
  t.regex(reason, /^http \//)
})

test('a refusal of a handler is its status and text, and no failure of the plugin', async (t) => {
  const plugin = withRoutes({
    prefix: '/tea',
    handle() {
      throw new HttpRefusal(418, 'only tea', { 'Retry-After': '60' })
    },
  })
  const { url, server } = await startHttpServer(t, { plugins: [plugin] })
  t.like(await ask(url, '/tea'), { status: 418, text: 'only tea\n', headers: { 'retry-after': '60' } })
  t.is(server.status().plugins.find(({ name }) => name === 'doors')?.state, 'ok')
})

test('a body above the limit is refused, whether its length is said or not', async (t) => {
  const reading = (prefix: string, maxBody?: number): HttpRoute => ({
    prefix,
    methods: ['POST'],
    ...(maxBody !== undefined && { maxBody }),
    handle: async (request, response) => response.end(String((await request.body()).length)),
  })
  const plugins = [withRoutes(reading('/small'), reading('/large', 1000))]
  const { url } = await startHttpServer(t, { plugins, limits: { httpBody: 100 } })
  const post = (path: string, length: number, headers = {}) =>
    ask(url, path, { method: 'POST', body: Buffer.alloc(length), headers })
  const chunked = { 'transfer-encoding': 'chunked' }
  for (const headers of [{}, chunked]) {
    t.like(await post('/small', 100, headers), { status: 200, text: '100' })
    t.like(await post('/small', 101, headers), { status: 413 })
    t.like(await post('/large', 1000, headers), { status: 200, text: '1000' })
    t.like(await post('/large', 1001, headers), { status: 413 })
  }
})

test('the server says that it lives, and whether it takes connections', async (t) => {
  const held = gate()
  const started = gate()
  const plugin = withRoutes({
    prefix: '/slow',
    async handle(_, response) {
      started.open()
      await held.passed
      response.end('done')
    },
  })
  const { url, close, figure } = await startHttpServer(t, { plugins: [plugin] })
  t.like(await ask(url, '/healthz'), { status: 200, text: 'ok\n', headers: { 'cache-control': 'no-store' } })
  t.like(await ask(url, '/readyz'), { status: 200 })
  t.like(await ask(url, '/readyz', { method: 'HEAD' }), { status: 200, text: '' })

  // A connection with a request under way stays open while the server stops, and may ask once more.
  const socket = await openSocket(url)
  socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await started.passed
  const [answers, closing] = [readAll(socket), close()]
  const asked = Number(figure('httpRequests'))
  socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
  while (figure('httpRequests') === asked) await new Promise(setImmediate)
  held.open()
  await closing
  t.regex(await answers, /200 OK.*done.*503 Service Unavailable.*not ready/s)
})

test('every response has the security headers', async (t) => {
  const { url } = await startHttpServer(t)
  for (const path of ['/', '/healthz', '/missing', '/chat']) {
    const { headers } = await ask(url, path)
    t.is(headers['x-content-type-options'], 'nosniff', path)
    t.is(headers['referrer-policy'], 'no-referrer')
    t.is(headers['cross-origin-opener-policy'], 'same-origin')
    t.is(headers['cross-origin-resource-policy'], 'same-origin')
    t.regex(String(headers['permissions-policy']), /camera=\(\)/)
    t.regex(String(headers['content-security-policy']), /^default-src 'none';.*frame-ancestors 'none'/)
    t.is(headers['set-cookie'], undefined)
    t.is(headers['access-control-allow-origin'], undefined)
    t.is(headers['x-powered-by'], undefined)
  }
})

test('a header that does not end, and one that is too long, are cut', async (t) => {
  const { url } = await startHttpServer(t, { limits: { httpHeaders: 100, httpRequest: 200 } })
  const slow = await openSocket(url)
  slow.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  t.regex(await readAll(slow), /^HTTP\/1\.1 408 /)
  const silent = await openSocket(url)
  t.regex(await readAll(silent), /^HTTP\/1\.1 408 /)
  const long = await openSocket(url)
  long.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`)
  t.regex(await readAll(long), /^HTTP\/1\.1 431 /)
  const garbage = await openSocket(url)
  garbage.write('\x00\x01\x02 garbage\r\n\r\n')
  t.regex(await readAll(garbage), /^HTTP\/1\.1 400 /)
  t.is((await ask(url, '/healthz')).status, 200)
})

test('a body that does not come ends its request', async (t) => {
  const plugin = withRoutes({
    prefix: '/body',
    methods: ['POST'],
    handle: async (request, response) => response.end((await request.body()).toString()),
  })
  const limits = { httpHeaders: 100, httpRequest: 200 }
  const { url, server } = await startHttpServer(t, { plugins: [plugin], limits })
  const socket = await openSocket(url)
  socket.write('POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
  t.regex(await readAll(socket), /^HTTP\/1\.1 408 /)
  t.is(server.status().plugins.find(({ name }) => name === 'doors')?.state, 'ok')
})

test('connections of one address, and of all, have a limit, which WebSockets leave', async (t) => {
  const { url, figure, status } = await startHttpServer(t, { limits: { httpConnectionsPerAddress: 2 } })
  const open = [await openSocket(url), await openSocket(url)]
  while (figure('httpConnections') !== 2) await new Promise(setImmediate)
  const third = await openSocket(url)
  t.is(await readAll(third), '')
  for (const socket of open) socket.destroy()
  while (figure('httpConnections') !== 0) await new Promise(setImmediate)
  t.is((await ask(url, '/healthz')).status, 200)
  t.is(await status({}), 101)

  const full = await startHttpServer(t, { limits: { httpConnections: 1 }, trustedProxies: ['127.0.0.1'] })
  await openSocket(full.url)
  while (full.figure('httpConnections') !== 1) await new Promise(setImmediate)
  t.is(await readAll(await openSocket(full.url)), '', 'also for a trusted proxy')
})

test('requests of one address have a rate', async (t) => {
  const { url } = await startHttpServer(t, {
    limits: { httpRate: 0.001, httpBurst: 2 },
    trustedProxies: ['127.0.0.1'],
  })
  const from = (address: string) => ask(url, '/healthz', { headers: { 'x-forwarded-for': address } })
  t.is((await from('203.0.113.7')).status, 200)
  t.is((await from('203.0.113.7')).status, 200)
  const { status, headers } = await from('203.0.113.7')
  t.is(status, 429)
  t.true(Number(headers['retry-after']) > 0)
  t.is((await from('203.0.113.8')).status, 200)
})

test('idle connections do not hold a stop; a response under way is completed', async (t) => {
  const held = gate()
  const started = gate()
  const plugin = withRoutes({
    prefix: '/slow',
    async handle(_, response) {
      started.open()
      await held.passed
      response.end('completed')
    },
  })
  const { url, close } = await startHttpServer(t, { plugins: [plugin] })
  const idle = await openSocket(url)
  idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(idle, 'data')
  const asking = ask(url, '/slow')
  await started.passed
  const [closed, closing] = [once(idle, 'close'), close()]
  await closed
  held.open()
  t.is((await asking).text, 'completed')
  await closing
})

test('a response that never ends is cut when the server has stopped', async (t) => {
  const plugin = withRoutes({
    prefix: '/stream',
    handle(_, response) {
      response.write('begun')
    },
  })
  const { url, close } = await startHttpServer(t, { plugins: [plugin] })
  const socket = await openSocket(url)
  socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  const ended = readAll(socket)
  await close()
  await ended
  t.pass()
})

test('a peer that leaves aborts the signal of its request', async (t) => {
  const aborted = gate<string>()
  const plugin = withRoutes({
    prefix: '/wait',
    handle({ signal }, response) {
      signal.addEventListener('abort', () => aborted.open('aborted'))
      response.write('waiting')
    },
  })
  const { url } = await startHttpServer(t, { plugins: [plugin] })
  const socket = await openSocket(url)
  socket.write('GET /wait HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
  t.is(await aborted.passed, 'aborted')
})

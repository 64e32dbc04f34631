import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { SYSTEM_CLOCK } from '../../core/index.ts'
import { AddressPolicy, AddressRefused, isNetwork, type Resolver } from '../../plugins/hooks/addresses.ts'
import { post } from '../../plugins/hooks/post.ts'

/** What a resolver answers for a name, one entry for each time it is asked; the last one stays. */
type Answers = Readonly<Record<string, readonly (readonly string[])[]>>

function resolver(answers: Answers) {
  const asked: string[] = []
  const resolve: Resolver = (name, _options, done) => {
    const times = asked.filter((one) => one === name).length
    asked.push(name)
    const all = answers[name] ?? []
    const addresses = all[Math.min(times, all.length - 1)]
    if (addresses === undefined) return done(Object.assign(new Error(`ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), [])
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }
  return { resolve, asked }
}

/** A server on loopback that counts its connections and answers with a status. */
async function startTarget(t: ExecutionContext, answer: { status: number; location?: string } = { status: 200 }) {
  let connections = 0
  const server = createServer((_request, response) =>
    response.writeHead(answer.status, answer.location === undefined ? {} : { Location: answer.location }).end(),
  )
  server.on('connection', () => {
    connections++
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { port, connections: () => connections }
}

/** Posts with a policy; resolves with the status of the answer. */
const attempt = (addresses: AddressPolicy, url: string) =>
  post(
    { clock: SYSTEM_CLOCK, addresses, timeoutMs: 5000, signal: new AbortController().signal },
    { url, headers: {}, body: '{}' },
  ).then(({ status }) => status)

const NAMES: Answers = {
  'loopback.test': [['127.0.0.1']],
  'both.test': [['93.184.216.34', '127.0.0.1']],
  'six.test': [['::1']],
  'mapped.test': [['::ffff:127.0.0.1']],
  'zone.test': [['fe80::1%lo']],
  'metadata.test': [['169.254.169.254']],
  localhost: [['127.0.0.1', '::1']],
  'localhost.': [['127.0.0.1']],
  'empty.test': [[]],
}

/** URLs whose requests must not reach this machine; PORT is that of a server on it. */
const REFUSED = [
  'http://127.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://0x7f.1:PORT/',
  'http://017700000001:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://127.0.0.01:PORT/',
  'http://①②⑦.0.0.1:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://0:PORT/',
  'http://0.0.0.0:PORT/',
  'http://127.255.255.254:PORT/',
  'http://[::1]:PORT/',
  'http://[::]:PORT/',
  'http://[0:0:0:0:0:0:0:1]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://[64:ff9b::7f00:1]:PORT/',
  'http://[2002:7f00:1::]:PORT/',
  'http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:PORT/',
  'http://[fe80::1]:PORT/',
  'http://[fc00::1]:PORT/',
  'http://[ff02::1]:PORT/',
  'http://10.1.2.3:PORT/',
  'http://100.64.0.1:PORT/',
  'http://169.254.169.254:PORT/',
  'http://172.31.0.1:PORT/',
  'http://192.168.1.1:PORT/',
  'http://198.18.0.1:PORT/',
  'http://224.0.0.1:PORT/',
  'http://255.255.255.255:PORT/',
  'http://localhost:PORT/',
  'http://localhost.:PORT/',
  'http://LOCALHOST:PORT/',
  'http://loopback.test:PORT/',
  'http://both.test:PORT/',
  'http://six.test:PORT/',
  'http://mapped.test:PORT/',
  'http://zone.test:PORT/',
  'https://metadata.test:PORT/',
]

test('no spelling of a private address, and no name of one, is connected to', async (t) => {
  const target = await startTarget(t)
  const { resolve } = resolver(NAMES)
  const addresses = new AddressPolicy({ networks: [], ports: [target.port] }, resolve)
  t.true(REFUSED.length >= 30)
  for (const template of REFUSED) {
    const url = template.replace('PORT', String(target.port))
    const error = await t.throwsAsync(attempt(addresses, url), undefined, url)
    t.true(error instanceof AddressRefused, `${url}: ${error?.message}`)
  }
  await t.throwsAsync(attempt(addresses, `http://empty.test:${target.port}/`), { message: /empty.test has no address/ })
  await t.throwsAsync(attempt(addresses, `http://unknown.test:${target.port}/`), { code: 'ENOTFOUND' })
  t.is(target.connections(), 0)
})

test('an allowed network is reached, by its address and by a name, and no other', async (t) => {
  const target = await startTarget(t)
  const { resolve } = resolver(NAMES)
  const addresses = new AddressPolicy({ networks: ['127.0.0.0/8'], ports: [target.port] }, resolve)
  for (const host of ['127.0.0.1', '2130706433', 'loopback.test'])
    t.is(await attempt(addresses, `http://${host}:${target.port}/`), 200, host)
  for (const host of ['six.test', '10.0.0.1', '[::1]'])
    await t.throwsAsync(attempt(addresses, `http://${host}:${target.port}/`), { instanceOf: AddressRefused }, host)
  t.is(target.connections(), 3)
})

test('a resolver that changes its answer after the check has no effect', async (t) => {
  const target = await startTarget(t)
  // At first an allowed address, where nobody listens on that port for lack of such a host; then this machine.
  const { resolve, asked } = resolver({ 'rebinding.test': [['127.0.0.2'], ['127.0.0.1']] })
  const addresses = new AddressPolicy({ networks: ['127.0.0.2'], ports: [target.port] }, resolve)
  await t.throwsAsync(attempt(addresses, `http://rebinding.test:${target.port}/`), { code: 'ECONNREFUSED' })
  t.deepEqual(asked, ['rebinding.test'], 'resolved once: the connection is to the address that was checked')
  await t.throwsAsync(attempt(addresses, `http://rebinding.test:${target.port}/`), { instanceOf: AddressRefused })
  t.is(target.connections(), 0)
})

test('a redirect is not followed', async (t) => {
  const target = await startTarget(t)
  for (const status of [301, 302, 303, 307, 308]) {
    const first = await startTarget(t, { status, location: `http://127.0.0.1:${target.port}/` })
    const addresses = new AddressPolicy({ networks: ['127.0.0.1'], ports: [first.port, target.port] })
    t.is(await attempt(addresses, `http://127.0.0.1:${first.port}/`), status)
  }
  t.is(target.connections(), 0)
})

test('only http and https, without a password, on ports that are allowed', (t) => {
  const addresses = new AddressPolicy({ networks: [], ports: [8080] })
  for (const url of [
    'http://example.org/',
    'https://example.org/a?b',
    'http://example.org:443/',
    'https://93.184.216.34:8080/',
  ])
    t.notThrows(() => addresses.checkUrl(url), url)
  for (const url of [
    'http://example.org:22/',
    'https://example.org:8443/',
    'ftp://example.org/',
    'file:///etc/passwd',
    'gopher://example.org:80/',
    'javascript:alert(1)',
    'http://user:secret@example.org/',
    'http://user@example.org/',
    '//example.org/',
    'http://',
    '',
  ])
    t.throws(() => addresses.checkUrl(url), { instanceOf: AddressRefused }, url)
})

test('networks are addresses with or without a prefix', (t) => {
  for (const network of ['10.0.0.0/8', '127.0.0.1', '::1', 'fd00::/8', '0.0.0.0/0']) t.true(isNetwork(network), network)
  for (const network of ['10.0.0.0/33', 'example.org', '10.0.0.0/8/8', '10.0.0/8', '::/129', '10.0.0.1/', ''])
    t.false(isNetwork(network), network)
})

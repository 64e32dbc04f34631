import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { Browser, Page } from 'playwright-core'
import type { Client } from '../../client/index.ts'
import { bundleOf } from '../support/browser/bundle.ts'
import type { checkConformance } from '../support/browser/conformance.ts'
import { type PageServer, servePage } from '../support/browser/page-server.ts'
import { INSECURE_HOST, launchBrowser, openPage, testInBrowser } from '../support/browser.ts'
import { ITERATIONS } from '../support/clients.ts'
import { type LocalServer, startLocalServer } from '../support/server.ts'
import { readVectors } from '../support/wire/vectors.ts'

/** What the page of the tests has in its global scope. */
interface Scope {
  readonly chatctl: typeof import('../../client/index.ts')
  client: Client
  /** Reasons of lost connections, and why the client ended. */
  lost: string[]
  closed: string[]
}
declare const scope: Scope
declare const SharedWorker: new (
  url: string,
  options: { type: 'module' },
) => {
  port: { onmessage: ((event: { data: unknown }) => void) | null; postMessage(data: unknown): void }
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>test</title><script type="module">
import * as chatctl from '/client.js'
globalThis.scope = { chatctl, lost: [], closed: [] }
</script>`

/** A worker that sends a message with the options it gets, and answers with the message's id. */
const WORKER = `import { connect } from '/client.js'
onconnect = ({ ports: [port] }) => {
  port.onmessage = async ({ data: { password, ...options } }) => {
    const client = await connect(options)
    await client.login('ann', { password })
    port.postMessage((await client.send('bob', 'from a worker')).id)
  }
}`

interface Setting {
  readonly server: LocalServer
  readonly pages: PageServer
  readonly browser: Browser
  /** Opens a page that has the client library. */
  page(host?: string): Promise<Page>
}

async function openSetting(t: ExecutionContext, limits = {}): Promise<Setting> {
  const server = await startLocalServer(t, { limits })
  const files = { '/': PAGE, '/worker.js': WORKER, '/client.js': await bundleOf(t, 'client/index.js') }
  const pages = await servePage(t, files, server.server)
  const browser = await launchBrowser(t)
  const page = async (host = '127.0.0.1') => {
    const opened = await openPage(t, browser, `http://${host}:${pages.port}/`)
    await opened.waitForFunction(() => 'scope' in globalThis)
    return opened
  }
  return { server, pages, browser, page }
}

/** Options for `connect` in a page. */
const addressOf = (page: Page) => ({
  server: `ws://${new URL(page.url()).host}/chat`,
  leastIterations: ITERATIONS,
})

/** Connects the client of a page. */
const connect = (page: Page, options: { pin?: string; reconnect?: boolean } = {}) =>
  page.evaluate(
    async (given) => {
      scope.client = await scope.chatctl.connect(given)
      scope.client.onLife('disconnected', ({ message }) => scope.lost.push(message))
      scope.client.onLife('closed', ({ message }) => scope.closed.push(message))
      return scope.client.fingerprint
    },
    { ...addressOf(page), ...options },
  )

testInBrowser('Ann registers in a browser, logs in, and writes with Bob, who is on TCP', async (t) => {
  const { server, pages, page } = await openSetting(t)
  const bob = await server.user('bob')
  const ann = await page()
  t.is(await connect(ann), bob.fingerprint)
  const identity = await ann.evaluate(async () => {
    await scope.client.register('ann', 'correct horse', { nickname: '安妮' })
    return scope.client.login('ann', { password: 'correct horse' })
  })
  t.is(identity.nickname, '安妮')

  const heardByBob = bob.messages()
  const text = '你好, Bob 👋\n\uFEFFa second line'
  const { id } = await ann.evaluate((words) => scope.client.send('bob', words), text)
  const heard = (await heardByBob.next()).value
  t.like(heard, { id, from: 'ann', text })

  await bob.send('ann', 'grüß dich, Ann')
  const reply = await ann.evaluate(async () => {
    for await (const { from, text: words } of scope.client.messages()) return `${from}: ${words}`
    return undefined
  })
  t.is(reply, 'bob: grüß dich, Ann')
  const history = await ann.evaluate(async () => (await scope.client.history('bob')).messages.map((one) => one.text))
  t.deepEqual(history, [text, 'grüß dich, Ann'])

  const recorded = Buffer.concat(pages.sent).toString('latin1')
  t.true(recorded.startsWith('CHATCTL\x01'))
  for (const secret of ['correct horse', 'ann', 'Bob']) t.false(recorded.includes(secret))
  await ann.evaluate(() => scope.client.close())
  t.deepEqual(await ann.evaluate(() => scope.closed), ['the client was closed'])
})

testInBrowser('many messages at once leave a browser in frames of at most 64 KiB, and arrive in order', async (t) => {
  const { server, pages, page } = await openSetting(t, { requestBurst: 1e6 })
  const bob = await server.user('bob')
  await (await server.user('ann')).close()
  const ann = await page()
  await connect(ann)
  await ann.evaluate(async (password) => scope.client.login('ann', { password }), "ann's password")
  await ann.evaluate(async () => {
    const texts = Array.from({ length: 60 }, (_, index) => `${index} ${'x'.repeat(8000)}`)
    await Promise.all(texts.map((text) => scope.client.send('bob', text)))
  })
  const received: number[] = []
  for await (const { text } of bob.messages()) {
    received.push(Number.parseInt(text, 10))
    if (received.length === 60) break
  }
  t.deepEqual(received, [...Array(60).keys()])
  const largest = Math.max(...pages.sent.map(({ length }) => length))
  t.is(largest, 64 * 1024)
})

testInBrowser('a page without a secure context has no WebCrypto, and Ann logs in all the same', async (t) => {
  const { server, page } = await openSetting(t)
  const ann = await page(INSECURE_HOST)
  t.true(await ann.evaluate(() => crypto.subtle === undefined))
  await connect(ann)
  await ann.evaluate(async () => {
    await scope.client.register('ann', 'correct horse')
    await scope.client.login('ann', { password: 'correct horse' })
  })
  // The keys are the same on Node.
  const onNode = await server.connect()
  t.is((await onNode.login('ann', { password: 'correct horse' })).user, 'ann')
})

testInBrowser('the WebSocket is cut while a browser sends: the message is stored once', async (t) => {
  const { server, pages, page } = await openSetting(t)
  const bob = await server.user('bob')
  await (await server.user('ann')).close()
  const ann = await page()
  await connect(ann)
  await ann.evaluate(async (password) => scope.client.login('ann', { password }), "ann's password")
  pages.cutAtNextFrame()
  await ann.evaluate(() => scope.client.send('bob', 'still here'))
  t.deepEqual(await ann.evaluate(() => scope.lost), ['connection lost: the WebSocket was cut (code 1006)'])
  t.deepEqual(
    (await bob.inbox()).messages.map(({ text }) => text),
    ['still here'],
  )
})

testInBrowser('the client runs in a SharedWorker', async (t) => {
  const { server, page } = await openSetting(t)
  const bob = await server.user('bob')
  await (await server.user('ann')).close()
  const ann = await page()
  const id = await ann.evaluate(
    (options) =>
      new Promise((resolve) => {
        const { port } = new SharedWorker('/worker.js', { type: 'module' })
        port.onmessage = ({ data }) => resolve(data)
        port.postMessage(options)
      }),
    { ...addressOf(ann), password: "ann's password" },
  )
  t.like((await bob.inbox()).messages, [{ id, text: 'from a worker' }])
})

testInBrowser('a browser gives up a server that does not answer', async (t) => {
  const { page } = await openSetting(t)
  // A browser that gives up may reset the connection.
  const silent = createServer((socket) => socket.on('error', () => socket.destroy())).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const outcome = await (await page()).evaluate(
    (server) => scope.chatctl.connect({ server, timeout: 100 }).catch(({ code, message }) => `${code}: ${message}`),
    `ws://127.0.0.1:${port}/chat`,
  )
  t.is(outcome, `timed_out: no answer from ws://127.0.0.1:${port}/chat in time`)
})

testInBrowser('a browser refuses a changed key, and says which addresses it can reach', async (t) => {
  const { page } = await openSetting(t)
  const ann = await page()
  const codeOf = (server: string, pin = '') =>
    ann.evaluate(
      (options) =>
        scope.chatctl.connect(options).then(
          () => 'connected',
          ({ code, message }) => `${code}: ${message}`,
        ),
      { server: server.replace('HERE', new URL(ann.url()).host), ...(pin && { pin }) },
    )
  t.regex(await codeOf('ws://HERE/chat', `SHA256:${'A'.repeat(43)}`), /^key_changed: /)
  t.regex(await codeOf('ws://HERE/elsewhere'), /^unreachable: cannot reach ws:.*no chatctl server answers there$/)
  t.regex(await codeOf('127.0.0.1:7300'), /^unreachable: a browser connects to the WebSocket of a server/)
  t.regex(await codeOf('ws://HERE:port/chat'), /is not a URL such as ws:/)
})

testInBrowser('the cryptography of a browser gives the published vectors, with and without WebCrypto', async (t) => {
  const { server } = await startLocalServer(t)
  const files = {
    '/': PAGE.replaceAll('client.js', 'check.js'),
    '/check.js': await bundleOf(t, 'test/support/browser/conformance.js'),
  }
  const { port } = await servePage(t, files, server)
  const browser = await launchBrowser(t)
  const vectors = { noise: readVectors('noise-aesgcm'), crypto: readVectors('crypto') }
  for (const host of ['127.0.0.1', INSECURE_HOST]) {
    const page = await openPage(t, browser, `http://${host}:${port}/`)
    await page.waitForFunction(() => 'scope' in globalThis)
    const result = await page.evaluate((given) => {
      const loaded = scope.chatctl as unknown as { checkConformance: typeof checkConformance }
      return loaded.checkConformance(given)
    }, vectors)
    t.deepEqual(result.failed, [], host)
    t.true(result.count > 150)
  }
})

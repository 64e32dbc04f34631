import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { bundleOf } from '../support/browser/bundle.ts'
import { INSECURE_HOST, launchBrowser, openPage, testInBrowser } from '../support/browser.ts'
import { ITERATIONS } from '../support/clients.ts'
import { startHttpServer } from '../support/http/http.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** Registers, logs in, writes to Bob, and shows the end; `?server=` is another one than that of the page. */
const SCRIPT = `import { connect } from '/client.js'
const here = new URL(location.href)
const server = here.searchParams.get('server') ?? 'ws://' + here.host + '/chat'
const show = (id, text) => document.body.append(Object.assign(document.createElement('p'), { id, textContent: text }))
document.addEventListener('securitypolicyviolation', ({ violatedDirective }) => show('violation', violatedDirective))
try {
  const client = await connect({ server, leastIterations: ${ITERATIONS}, reconnect: false })
  await client.register('alice', 'correct horse')
  await client.login('alice', { password: 'correct horse' })
  await client.send('bob', 'from the page')
  show('end', 'sent')
} catch (error) {
  show('end', error.message)
}`

const PAGE = '<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/app.js"></script>'

const endOf = async (page: Page) => (await page.waitForSelector('#end')).textContent()

testInBrowser('a page of the server talks to it under its policy, and no page of another origin does', async (t) => {
  const folder = join(await tempFolder(t), 'web')
  await mkdir(folder)
  const files = { 'index.html': PAGE, 'app.js': SCRIPT, 'client.js': await bundleOf(t, 'client/index.js') }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const pluginOptions = { page: { folder } }
  const server = await startHttpServer(t, { pluginOptions })
  const bob = await server.user('bob')
  const browser = await launchBrowser(t)

  const asked: string[] = []
  const page = await openPage(t, browser, 'about:blank')
  page.on('request', (request) => asked.push(new URL(request.url()).origin))
  await page.goto(server.url)
  t.is(await endOf(page), 'sent')
  t.is(await page.locator('#violation').count(), 0)
  t.deepEqual([...new Set(asked)], [server.url])
  t.like((await bob.messages().next()).value, { from: 'alice', text: 'from the page' })

  // The same page on another server: its policy, and the check of origins, each stop it.
  const other = await startHttpServer(t, { pluginOptions })
  const foreign = await openPage(t, browser, `${other.url}/?server=${server.url.replace('http', 'ws')}/chat`)
  t.is(await (await foreign.waitForSelector('#violation')).textContent(), 'connect-src')
  const unpolitic = await browser.newContext({ bypassCSP: true })
  const bypassing = await openPage(t, unpolitic, `${other.url}/?server=${server.url.replace('http', 'ws')}/chat`)
  t.regex((await endOf(bypassing)) ?? '', /cannot reach/)
  t.is(server.figure('connections'), 2)

  const { port } = new URL(other.url)
  await other.user('bob')
  t.is(await endOf(await openPage(t, browser, `http://${INSECURE_HOST}:${port}/`)), 'sent', 'by a name of this machine')
})

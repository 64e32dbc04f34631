import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { SetupError } from '../../core/index.ts'
import { ask, startHttpServer } from '../support/http/http.ts'
import { startLocalServer } from '../support/server.ts'
import { tempFolder } from '../support/temp-folder.ts'

const SCRIPT = 'console.log("a chat")'.repeat(50)

/** A server whose page is a folder with an index, a hashed script in three encodings, and what must not be served. */
async function serverWithPage(t: ExecutionContext) {
  const outside = await tempFolder(t)
  const folder = join(outside, 'web')
  await mkdir(join(folder, 'icons'), { recursive: true })
  const files: Record<string, string | Buffer> = {
    'index.html': '<!doctype html><title>a chat</title>',
    'app-K3XQ7ZPA.js': SCRIPT,
    'app-K3XQ7ZPA.js.br': brotliCompressSync(SCRIPT),
    'app-K3XQ7ZPA.js.gz': gzipSync(SCRIPT),
    'sw.js': 'self',
    'icons/small.png': Buffer.from([1, 2, 3]),
    'manifest.webmanifest': '{}',
    'notes.secret': 'not for the web',
    '../server.key': 'secret',
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return startHttpServer(t, { pluginOptions: { page: { folder } } })
}

test('the page is at the root, and is asked for anew each time', async (t) => {
  const { url } = await serverWithPage(t)
  const root = await ask(url, '/')
  t.like(root, { status: 200, text: '<!doctype html><title>a chat</title>' })
  t.like(root.headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' })
  t.is((await ask(url, '/index.html?from=bookmark')).headers.etag, root.headers.etag)
  const csp = String(root.headers['content-security-policy'])
  for (const rule of [
    "default-src 'none'",
    "script-src 'self'",
    "require-trusted-types-for 'script'",
    'trusted-types chatctl',
  ])
    t.true(csp.split('; ').includes(rule), rule)
  t.false(csp.includes('unsafe'))
})

test('files have their type; only names with a hash are kept by caches', async (t) => {
  const { url } = await serverWithPage(t)
  const header = async (path: string, name: string) => (await ask(url, path)).headers[name]
  t.is(await header('/app-K3XQ7ZPA.js', 'cache-control'), 'public, max-age=31536000, immutable')
  t.is(await header('/sw.js', 'cache-control'), 'no-cache')
  t.is(await header('/sw.js', 'content-type'), 'text/javascript; charset=utf-8')
  t.is(await header('/icons/small.png', 'content-type'), 'image/png')
  t.is(await header('/manifest.webmanifest', 'content-type'), 'application/manifest+json')
})

test('the best encoding that the browser takes is sent', async (t) => {
  const { url } = await serverWithPage(t)
  const encodings = [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip', 'gzip'],
    ['br;q=0, gzip;q=0.5', 'gzip'],
    ['GZIP', 'gzip'],
    ['*', 'br'],
    ['*;q=0.1, br;q=0', 'gzip'],
    ['identity', undefined],
    ['deflate', undefined],
    ['', undefined],
  ] as const
  const tags = new Set<string>()
  for (const [accepted, encoding] of encodings) {
    const answer = await ask(url, '/app-K3XQ7ZPA.js', { headers: { 'accept-encoding': accepted } })
    t.is(answer.headers['content-encoding'], encoding, accepted)
    t.is(answer.headers.vary, 'Accept-Encoding')
    tags.add(String(answer.headers.etag))
    const expected = { br: brotliCompressSync(SCRIPT), gzip: gzipSync(SCRIPT), none: Buffer.from(SCRIPT) }
    t.deepEqual(answer.body, expected[encoding ?? 'none'])
    t.is(Number(answer.headers['content-length']), answer.body.length)
  }
  t.is(tags.size, 3, 'each encoding has a tag of its own')
  t.is((await ask(url, '/sw.js', { headers: { 'accept-encoding': 'br' } })).headers['content-encoding'], undefined)
  t.is((await ask(url, '/sw.js', { headers: { 'accept-encoding': 'br, identity;q=0' } })).status, 406)
})

test('what the browser has already is not sent again', async (t) => {
  const { url } = await serverWithPage(t)
  const { etag = '' } = (await ask(url, '/')).headers
  const having = (tags: string) => ask(url, '/', { headers: { 'if-none-match': tags } })
  for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const { status, text, headers } = await having(tags)
    t.is(status, 304, tags)
    t.is(text, '')
    t.is(headers.etag, etag)
    t.is(headers['cache-control'], 'no-cache')
  }
  for (const tags of ['"other"', '', etag.slice(1, -1)]) t.is((await having(tags)).status, 200, tags)
})

test('a HEAD request gets the headers alone; other methods are refused', async (t) => {
  const { url } = await serverWithPage(t)
  const [got, head] = [await ask(url, '/sw.js'), await ask(url, '/sw.js', { method: 'HEAD' })]
  t.is(head.text, '')
  t.is(head.headers['content-length'], got.headers['content-length'])
  t.is(head.headers.etag, got.headers.etag)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    t.like(await ask(url, '/', { method }), { status: 405, headers: { allow: 'GET, HEAD' } })
})

test('nothing but the files of the page is served, however the path is written', async (t) => {
  const { url } = await serverWithPage(t)
  for (const path of [
    '/missing-K3XQ7ZPA.js',
    '/notes.secret',
    '/icons',
    '/icons/',
    '/app-K3XQ7ZPA.js.br',
    '/../server.key',
    '/icons/../../server.key',
    '/..%2fserver.key',
    '/%2e%2e/server.key',
    '/icons/..%5c..%5cserver.key',
    '/..\\server.key',
    '//server.key',
    '/./index.html',
    '/index.html%00.png',
    '/__proto__',
    '/constructor',
    '/server.key',
    '/package.json',
  ]) {
    const { status, headers, text } = await ask(url, path)
    t.is(status, 404, path)
    t.is(text, 'Not Found\n')
    t.is(headers['cache-control'], 'no-store', 'a missing asset is not kept')
  }
})

test('a folder without a page is refused at the start', async (t) => {
  const folder = await tempFolder(t)
  await t.throwsAsync(startLocalServer(t, { pluginOptions: { page: { folder } } }), {
    instanceOf: SetupError,
    message: /options\.page\.folder: there is no index\.html/,
  })
})

test('a server without the plugin serves no page, and WebSockets all the same', async (t) => {
  const server = await startHttpServer(t, { without: ['page'] })
  t.is((await ask(server.url, '/')).status, 404)
  t.is(await server.status({}), 101)
})

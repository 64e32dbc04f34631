import { randomBytes } from 'node:crypto'
import test from 'ava'
import { apiServer, tokenOf } from '../support/http/api.ts'

test('a file is put, sent with a message, and got by its reader only', async (t) => {
  const { server, call, url } = await apiServer(t)
  const [alice, bob, carol] = [await server.user('alice'), await server.user('bob'), await server.user('carol')]
  const token = await tokenOf(alice, { to: 'bob' })
  const body = randomBytes(300_000)
  const path = `/v1/files/${encodeURIComponent('图 1.bin')}`
  const put = await call(path, { token, method: 'PUT', body, headers: { 'Content-Length': body.length } })
  t.is(put.status, 201, put.text)
  t.like(put.json, { name: '图 1.bin', size: body.length })
  const { file } = put.json
  t.is((await call('/v1/messages', { token, json: { to: 'bob', text: 'see', file } })).status, 201)
  await bob.hears('see')

  const reader = await tokenOf(bob, { scope: 'read' })
  const got = await call(`/v1/files/${file}`, { token: reader })
  t.is(got.status, 200)
  t.deepEqual(got.body, body)
  t.is(got.headers['content-length'], String(body.length))
  t.is(got.headers['content-disposition'], `attachment; filename*=UTF-8''${encodeURIComponent('图 1.bin')}`)
  const head = await call(`/v1/files/${file}`, { token: reader, method: 'HEAD' })
  t.deepEqual([head.headers['content-length'], head.body.length], [String(body.length), 0])
  t.is((await call(`/v1/files/${file}`, { token: await tokenOf(carol) })).json.name, 'no_file')
  t.is((await call('/v1/files/x', { token: reader })).status, 400)
  t.is((await call(path, { token: reader, method: 'PUT', body: 'x' })).status, 403)
  t.is((await call(path, { token, method: 'PUT' })).status, 411)
  const slow = await fetch(`${url}/v1/files/${file}`, { headers: { Authorization: `Bearer ${reader}` } })
  await slow.body?.cancel()
  t.is((await call(`/v1/files/${file}`, { token: reader })).status, 200)
})

test('the same key is one file; too large a file is refused before its bytes', async (t) => {
  const { server, call } = await apiServer(t, { limits: { fileSize: 100_000 } })
  const token = await tokenOf(await server.user('alice'))
  const put = (size: number, key: string) =>
    call('/v1/files/a.txt', {
      token,
      method: 'PUT',
      body: 'x'.repeat(size),
      headers: { 'Content-Length': size, 'Idempotency-Key': key },
    })
  const [first, second] = [await put(5000, 'k'), await put(5000, 'k')]
  t.deepEqual([first.status, second.status], [201, 201])
  t.is(first.json.file, second.json.file)
  t.is((await put(200_000, 'other')).status, 413)
})

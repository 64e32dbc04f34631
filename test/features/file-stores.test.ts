import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { BeginUpload, FilesGc, FinishUpload, UploadChunk } from '../../client/index.ts'
import type { BlobStore } from '../../plugins/files/store/blob-store.ts'
import { openStore } from '../../plugins/files/store/open-store.ts'
import { testServer } from '../../testing/index.ts'
import { S3_CREDENTIALS, startS3 } from '../support/s3.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { openProxy } from '../support/wire/proxy.ts'

const MIB = 1024 ** 2
const keyOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

const STORES: Readonly<Record<string, (t: ExecutionContext) => Promise<BlobStore>>> = {
  'a folder': async (t) => openStore(await tempFolder(t), undefined),
  S3: async (t) => openStore((await startS3(t)).store, S3_CREDENTIALS),
}

async function keysIn(store: BlobStore) {
  const found: string[] = []
  for await (const { key } of store.list()) found.push(key)
  return found.sort()
}

for (const [name, open] of Object.entries(STORES))
  test(`${name} stores content by its key, gives parts of it, and lists and deletes it`, async (t) => {
    const store = await open(t)
    const folder = await tempFolder(t)
    t.deepEqual(await keysIn(store), [])
    // The largest one is sent to S3 in parts.
    const contents = [randomBytes(1), randomBytes(3000), randomBytes(9 * MIB)]
    for (const content of contents) {
      const [key, path] = [keyOf(content), join(folder, 'part')]
      await writeFile(path, content)
      for (let times = 0; times < 2; times++) await store.put(key, path)
      t.true(content.equals(await readFile(path)), 'the file stays')
      t.deepEqual(await store.stat(key), { key, size: content.length })
      t.deepEqual(await store.read(key, 0, 10), content.subarray(0, 10))
      const middle = Math.floor(content.length / 2)
      const border = MIB - 5
      t.deepEqual(await store.read(key, border, 10), content.subarray(border, border + 10))
      t.deepEqual(await store.read(key, middle, 1000), content.subarray(middle, middle + 1000))
      t.deepEqual(await store.read(key, content.length, 10), Buffer.alloc(0))
    }
    t.deepEqual(await keysIn(store), contents.map(keyOf).sort())
    const [gone = Buffer.alloc(0), ...left] = contents
    for (let times = 0; times < 2; times++) await store.delete(keyOf(gone))
    t.is(await store.read(keyOf(gone), 0, 1), undefined)
    t.is(await store.stat(keyOf(gone)), undefined)
    t.deepEqual(await keysIn(store), left.map(keyOf).sort())
    await t.throwsAsync(async () => store.read('../../etc/passwd', 0, 1), { message: /is no key/ })
  })

test('a folder takes content from another disk, and removes what a crash has left', async (t) => {
  const [folder, other] = [await tempFolder(t), '/dev/shm']
  const device = async (path: string) => (await stat(path)).dev
  const isOther = await device(other).then(
    async (found) => found !== (await device(folder)),
    () => false,
  )
  const content = randomBytes(1000)
  const path = join(isOther ? other : folder, `part-${keyOf(content)}`)
  t.teardown(() => rm(path, { force: true }))
  await writeFile(path, content)
  await mkdir(join(folder, '.new'))
  await writeFile(join(folder, '.new', 'rest'), 'of a crash')
  const store = openStore(folder, undefined)
  await store.put(keyOf(content), path)
  t.deepEqual(await store.read(keyOf(content), 0, 1000), content)
  t.deepEqual(await keysIn(store), [keyOf(content)])
  t.deepEqual(await readdir(join(folder, '.new')), [])
})

test('a place that is no store, or a store without credentials, is refused at the start', async (t) => {
  for (const [store, s3, message] of [
    ['s3://', S3_CREDENTIALS, /is not s3:\/\/BUCKET/],
    ['s3://chat?endpoint=nowhere', S3_CREDENTIALS, /the endpoint "nowhere" is not a URL/],
    ['s3://chat', undefined, /needs AWS_ACCESS_KEY_ID/],
  ] as const)
    await t.throwsAsync(testServer({ pluginOptions: { files: { store, ...(s3 && { s3 }) } } }), { message })
})

test('on S3, a file is uploaded, read and swept', async (t) => {
  const { store, folder } = await startS3(t)
  const options = { files: { store, s3: S3_CREDENTIALS, folder: await tempFolder(t) } }
  await using server = await testServer({ pluginOptions: options, limits: { fileGrace: 0 } })
  const { client } = await server.user('alice')
  const content = randomBytes(9 * MIB)
  const { id } = await client.upload(content, { name: 'x' })
  const parts: Buffer[] = []
  for await (const part of client.download(id)) parts.push(part)
  t.true(content.equals(Buffer.concat(parts)))
  const objects = async () =>
    (await readdir(join(folder, 'chat'), { recursive: true })).filter((name) => name.endsWith('_object'))
  t.is((await objects()).length, 1)
  await client.deleteFile(id)
  await server.clock.advance(3_600_000)
  await (await server.operator()).request(FilesGc, {})
  t.is((await objects()).length, 0)
})

test('S3 dies in the middle of a PUT: no file, no object, and the upload ends once it is back', async (t) => {
  const s3 = await startS3(t)
  // Of three parts the first arrives, and half of the second.
  let budget = 12 * MIB
  let die = () => {}
  const died = new Promise<void>((resolve) => {
    die = resolve
  })
  const proxy = await openProxy(
    t,
    { host: '127.0.0.1', port: s3.port },
    {
      keep: false,
      loses: (from, bytes) => {
        if (from === 'client') budget -= bytes
        if (budget < 0) die()
        return budget < 0
      },
    },
  )
  const store = `s3://chat/files?endpoint=http://${proxy.address}`
  const options = { files: { store, s3: S3_CREDENTIALS, folder: await tempFolder(t) } }
  await using server = await testServer({ pluginOptions: options, clock: 'system' })
  const alice = await server.user('alice')
  const data = randomBytes(20 * MIB)
  const uploading = alice.client.upload(data, { name: 'x', clientId: 'x' })
  await died
  const { upload } = await alice.request(BeginUpload, { name: 'x', size: data.length, clientId: 'x' })
  const finish = { upload, sha256: createHash('sha256').update(data).digest() }
  t.is(await alice.refused(alice.request(FinishUpload, finish)), 'store_unavailable')
  t.deepEqual((await alice.client.files()).files, [])
  t.deepEqual(await keysIn(openStore(s3.store, S3_CREDENTIALS)), [])

  budget = Number.POSITIVE_INFINITY
  const { id } = await uploading
  t.deepEqual(await keysIn(openStore(s3.store, S3_CREDENTIALS)), [keyOf(data)])
  const parts: Buffer[] = []
  for await (const part of alice.client.download(id)) parts.push(part)
  t.true(data.equals(Buffer.concat(parts)))
})

test('while S3 does not answer, an upload is not finished, and then it is', async (t) => {
  const s3 = await startS3(t)
  const options = { files: { store: s3.store, s3: S3_CREDENTIALS, folder: await tempFolder(t) } }
  await using server = await testServer({ pluginOptions: options, clock: 'system' })
  const alice = await server.user('alice')
  const data = randomBytes(1000)
  const { upload } = await alice.request(BeginUpload, { name: 'x', size: data.length, clientId: 'x' })
  await alice.request(UploadChunk, { upload, offset: 0, data })
  await s3.stop()
  const finish = { upload, sha256: createHash('sha256').update(data).digest() }
  t.is(await alice.refused(alice.request(FinishUpload, finish)), 'store_unavailable')
  t.is(await alice.refused(alice.client.send('alice', '', { file: upload })), 'no_file')
  t.deepEqual((await alice.client.files()).files, [])
  await startS3(t, s3)
  t.like(await alice.request(FinishUpload, finish), { file: upload, size: data.length })
})

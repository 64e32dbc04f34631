import { randomBytes } from 'node:crypto'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  BeginUpload,
  type Client,
  CreateRoom,
  FilesGc,
  QueryFileQuotas,
  ReadFile,
  ScheduleMessage,
  UploadChunk,
  VerifyFiles,
} from '../../client/index.ts'
import { FileScanned } from '../../plugins/files/index.ts'
import { type TestServerOptions, testServer } from '../../testing/index.ts'
import { tempFolder } from '../support/temp-folder.ts'

const KIB = 1024
const [HOUR, DAY] = [3_600_000, 86_400_000]
/** Connections survive a jump of the clock. */
const AWAY = { ping: 400 * DAY, dead: 400 * DAY }

async function openRoom(
  t: ExecutionContext,
  { files = {}, limits }: { files?: object; limits?: TestServerOptions['limits'] } = {},
) {
  const folder = await tempFolder(t)
  const server = await testServer({ limits: { ...AWAY, ...limits }, pluginOptions: { files: { folder, ...files } } })
  t.teardown(() => server.dispose())
  const operator = await server.operator()
  /** Names of the files in the store and among the parts. */
  const stored = async () => {
    const names = await readdir(folder, { recursive: true })
    return names.filter((name) => /\/./.test(name))
  }
  /** The sweeps that are due, and one more. */
  const sweepAfter = async (ms: number) => {
    server.clock.jump(ms)
    return operator.request(FilesGc, {})
  }
  const upload = async (client: Client, name = 'x') => (await client.upload(randomBytes(1000), { name })).id
  return { server, folder, operator, stored, sweepAfter, upload }
}

test('what no message carries is deleted after a day, and its content a day later; the rest stays', async (t) => {
  const { server, operator, stored, sweepAfter, upload } = await openRoom(t)
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  await alice.request(CreateRoom, { group: 'ops' })
  const files = []
  for (const name of ['private', 'group', 'recalled', 'unattached', 'scheduled'])
    files.push(await upload(alice.client, name))
  const [inPrivate = 0, inGroup = 0, recalled = 0, unattached = 0, scheduled = 0] = files
  await alice.client.send('bob', 'x', { file: inPrivate })
  await alice.client.send({ group: 'ops' }, 'x', { file: inGroup })
  const { id } = await alice.client.send('bob', 'x', { file: recalled })
  await alice.request(ScheduleMessage, { to: 'bob', text: '', delay: 10 * DAY, file: scheduled })
  await alice.client.recall(id)
  const begun = await alice.request(BeginUpload, { name: 'unfinished', size: 9, clientId: 'u' })
  await alice.request(UploadChunk, { upload: begun.upload, offset: 0, data: randomBytes(5) })
  t.is((await stored()).length, 6)
  t.like(await sweepAfter(DAY - 2 * HOUR), { files: 0, parts: 0, contents: 0, waiting: 0 })
  t.is((await bob.client.fileInfo(inPrivate)).id, inPrivate)
  t.is(await bob.refused(bob.client.fileInfo(recalled)), 'no_file')
  t.is((await alice.client.fileInfo(unattached)).id, unattached)
  const due = async () => operator.request(FilesGc, { dryRun: true })
  await sweepAfter(3 * HOUR)
  t.like(await due(), { files: 0, waiting: 2 })
  for (const file of [recalled, unattached]) t.is(await alice.refused(alice.client.fileInfo(file)), 'no_file')
  t.is(await alice.refused(alice.request(UploadChunk, { ...begun, offset: 5, data: randomBytes(4) })), 'no_upload')
  t.is((await stored()).length, 5, 'no rest of the upload')
  t.like(await sweepAfter(DAY), { waiting: 0 })
  t.is((await stored()).length, 3)
  for (const file of [inPrivate, inGroup, scheduled]) t.is((await alice.client.fileInfo(file)).id, file)
  server.clock.jump(9 * DAY)
  await bob.hears('scheduled (1 kB)')
  t.like(await sweepAfter(3 * DAY), { files: 0, waiting: 0 })
})

test('content that two files share stays until both are gone; a dry run deletes nothing', async (t) => {
  const { server, operator, stored, sweepAfter } = await openRoom(t, { limits: { fileGrace: 0 } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const content = randomBytes(100)
  const [hers, his] = [
    await alice.client.upload(content, { name: 'a' }),
    await bob.client.upload(content, { name: 'b' }),
  ]
  t.is((await stored()).length, 1)
  await alice.client.deleteFile(hers.id)
  t.like(await sweepAfter(0), { contents: 0, waiting: 0 })
  await bob.client.deleteFile(his.id)
  t.like(await operator.request(FilesGc, { dryRun: true }), { contents: 1, bytes: 100 })
  t.is((await stored()).length, 1)
  t.like(await sweepAfter(0), { contents: 1, bytes: 100 })
  t.is((await stored()).length, 0)
})

test('with a retention, files of old messages go, each kind in its time', async (t) => {
  const { server, sweepAfter, upload } = await openRoom(t, { files: { retention: { private: 30, group: 7 } } })
  const alice = await server.user('alice')
  await alice.request(CreateRoom, { group: 'ops' })
  const [inPrivate, inGroup] = [await upload(alice.client), await upload(alice.client)]
  await alice.client.send('alice', 'private', { file: inPrivate })
  await alice.client.send({ group: 'ops' }, 'group', { file: inGroup })
  const there = async () => (await alice.client.files()).files.map(({ id }) => id)
  await sweepAfter(6 * DAY)
  t.deepEqual(await there(), [inGroup, inPrivate])
  await sweepAfter(2 * DAY)
  t.deepEqual(await there(), [inPrivate])
  await sweepAfter(23 * DAY)
  t.deepEqual(await there(), [])
})

test('what is too much is refused before bytes flow, with the sizes', async (t) => {
  const limits = { fileSize: 100_000, fileQuota: 150_000, fileStore: 220_000, fileUploads: 2 }
  const { server, stored } = await openRoom(t, { limits })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const begin = (user: typeof alice, clientId: string, size: number) =>
    user.request(BeginUpload, { name: 'x', size, clientId })
  const refused = async (work: Promise<unknown>) => {
    const { failure, message } = (await t.throwsAsync(work)) as Error & { failure: string }
    return [failure, message]
  }
  t.deepEqual(await refused(begin(alice, 'a', 100_001)), [
    'file_too_large',
    'the file has 100 kB, at most 100 kB are allowed',
  ])
  const { upload } = await begin(alice, 'a', 100_000)
  t.deepEqual(await refused(begin(alice, 'b', 50_001)), [
    'quota_exceeded',
    'the file has 50 kB; your files have 100 kB, at most 150 kB are allowed',
  ])
  await begin(alice, 'b', 10)
  t.like(await begin(alice, 'b', 10), { offset: 0 }, 'the same one')
  t.deepEqual(await refused(begin(alice, 'c', 10)), ['too_many', 'you have 2 unfinished uploads; finish or delete one'])
  await begin(bob, 'a', 100_000)
  t.deepEqual(await refused(begin(bob, 'b', 20_000)), [
    'quota_exceeded',
    'the file has 20 kB; all files have 200 kB, at most 220 kB are allowed',
  ])
  t.deepEqual((await stored()).length, 3)
  await alice.client.deleteFile(upload)
  t.like(await begin(bob, 'b', 20_000), { offset: 0 })
  t.like(await alice.client.fileUsage(), { files: 1, bytes: 10, quota: 150_000, maxSize: 100_000 })
  const operator = await server.operator()
  t.like(await operator.request(QueryFileQuotas, {}), {
    files: 3,
    bytes: 120_010,
    users: [
      { user: 'alice', files: 1, bytes: 10 },
      { user: 'bob', files: 2, bytes: 120_000 },
    ],
  })
})

test('a disk that would be nearly full takes no uploads', async (t) => {
  const { server } = await openRoom(t, { limits: { fileFreeSpace: Number.MAX_SAFE_INTEGER } })
  const alice = await server.user('alice')
  t.is(await alice.refused(alice.client.upload(randomBytes(1), { name: 'x' })), 'no_space')
})

test('beyond the byte rate of a user replies wait, and chat does not', async (t) => {
  const { server } = await openRoom(t, { limits: { fileBytes: 100 * KIB, fileBurst: 128 * KIB } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const seen: number[] = []
  let reached = () => {}
  const nextProgress = () =>
    new Promise<void>((resolve) => {
      reached = resolve
    })
  const onProgress = ({ done }: { done: number }) => {
    seen.push(done)
    if (done > 0) reached()
  }
  const first = nextProgress()
  const upload = alice.client.upload(Buffer.alloc(428 * KIB), { name: 'x', onProgress })
  await first
  await alice.says('bob', 'meanwhile')
  await bob.hears('meanwhile')
  t.deepEqual(seen, [0, 128 * KIB])
  for (const [ms, size] of [
    [1280, 256 * KIB],
    [1280, 384 * KIB],
    [440, 428 * KIB],
  ] as const) {
    const progress = nextProgress()
    await server.clock.advance(ms - 1)
    t.true((seen.at(-1) ?? 0) < size)
    await server.clock.advance(1)
    await progress
    t.is(seen.at(-1), size)
  }
  const { id } = await upload
  let isRead = false
  const read = alice.request(ReadFile, { file: id }).then(() => {
    isRead = true
  })
  await server.settled()
  await server.clock.advance(1279)
  t.false(isRead)
  await server.clock.advance(1)
  await read
})

test('more unanswered chunks than the window are refused', async (t) => {
  const { server } = await openRoom(t, { limits: { fileBytes: 1, fileBurst: 1 } })
  const alice = await server.user('alice')
  const { upload, window } = await alice.request(BeginUpload, { name: 'x', size: 100, clientId: 'x' })
  t.is(window, 4)
  const data = randomBytes(10)
  const offsets = [0, 10, 20, 30]
  const chunks = offsets.map((offset) => alice.request(UploadChunk, { upload, offset, data }))
  t.is(await alice.refused(alice.request(UploadChunk, { upload, offset: 40, data })), 'too_many')
  for (const [index, chunk] of chunks.entries()) {
    await server.clock.advance(10_000)
    t.deepEqual(await chunk, { offset: (index + 1) * 10 })
  }
})

test('verify finds content that was changed or lost', async (t) => {
  const { server, folder, operator, stored, upload } = await openRoom(t)
  const alice = await server.user('alice')
  const good = await upload(alice.client, 'good')
  const [keeper = ''] = await stored()
  const flipped = await upload(alice.client, 'flipped')
  const lost = await upload(alice.client, 'lost')
  t.like(await operator.request(VerifyFiles, {}), { next: 0, files: 3, bytes: 3000, faults: [] })
  const pathOf = async (file: number) => {
    const { sha256 } = await alice.client.fileInfo(file)
    return join(folder, sha256.slice(0, 2), sha256.slice(2))
  }
  t.true((await pathOf(good)).endsWith(keeper))
  await writeFile(await pathOf(flipped), Buffer.alloc(1000))
  await rm(await pathOf(lost))
  const { faults } = await operator.request(VerifyFiles, {})
  const about = { owner: 'alice', variant: 'original' }
  t.deepEqual(faults, [
    { file: flipped, name: 'flipped', ...about, fault: 'differs' },
    { file: lost, name: 'lost', ...about, fault: 'missing' },
  ])
  t.is(await alice.refused(alice.request(ReadFile, { file: lost })), 'no_file')
})

test('a file is held until a scan accepts it; an infected one is deleted', async (t) => {
  const mark = join(await tempFolder(t), 'ready')
  const program = `test -e '${mark}' || exit 2; if grep -q VIRUS; then exit 1; else exit 0; fi`
  const { server } = await openRoom(t, { files: { scan: ['sh', '-c', program] } })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const failed = server.next(FileScanned)
  const { id: clean, held } = await alice.client.upload(Buffer.from('harmless'), { name: 'clean' })
  t.true(held)
  t.deepEqual(await failed, { file: clean, outcome: 'failed' })
  await alice.client.send('bob', 'look', { file: clean })
  t.is(await bob.refused(bob.request(ReadFile, { file: clean })), 'file_held')
  await writeFile(mark, '')
  const accepted = server.next(FileScanned)
  await server.clock.advance(60_000)
  t.deepEqual(await accepted, { file: clean, outcome: 'clean' })
  t.is(Buffer.from((await bob.request(ReadFile, { file: clean })).data).toString(), 'harmless')
  const refused = server.next(FileScanned)
  const { id: infected } = await alice.client.upload(Buffer.from('a VIRUS in it'), { name: 'infected' })
  t.deepEqual(await refused, { file: infected, outcome: 'infected' })
  t.is(await alice.refused(alice.request(ReadFile, { file: infected })), 'no_file')
})

import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import {
  BeginUpload,
  BlockUser,
  type Client,
  CreateRoom,
  FinishUpload,
  JoinRoom,
  LeaveRoom,
  OnNewMessage,
  QueryFile,
  QueryScheduled,
  ReadFile,
  ScheduleMessage,
  UploadChunk,
} from '../../client/index.ts'
import { testServer } from '../../testing/index.ts'
import { nextPush, refusal } from '../support/requests.ts'
import { startLocalServer } from '../support/server.ts'

const GROUP = { group: 'ops' }
const KIB = 1024
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

async function people<const N extends string>(t: ExecutionContext, ...names: N[]) {
  const stage = await startLocalServer(t)
  const clients: Record<string, Client> = {}
  for (const name of names) clients[name] = await stage.user(name)
  return { stage, ...(clients as Record<N, Client>) }
}

async function contentOf(client: Client, file: number, options?: Parameters<Client['download']>[1]) {
  const parts: Buffer[] = []
  for await (const part of client.download(file, options)) parts.push(part)
  return Buffer.concat(parts)
}

test('a file sent with a message is read by its recipient, who is told its name, size and type', async (t) => {
  const { alice, bob, stage } = await people(t, 'alice', 'bob')
  const content = randomBytes(300 * KIB + 7)
  const seen: number[] = []
  const file = await alice.upload(content, { name: 'build.log', onProgress: ({ done }) => seen.push(done) })
  t.like(file, { name: 'build.log', size: content.length, sha256: sha256(content).toString('hex'), own: true })
  t.deepEqual([seen[0], seen.at(-1)], [0, content.length])
  await bob.receive()
  const pushed = nextPush(bob, OnNewMessage)
  const { id } = await alice.send('bob', 'look', { file: file.id })
  const facts = { id: file.id, name: 'build.log', size: content.length, type: file.type, preview: false }
  t.like((await pushed).messages[0], {
    id,
    text: 'look',
    file: file.id,
    fileName: 'build.log',
    fileSize: content.length,
  })
  for (const { messages } of [await bob.inbox(), await bob.history('alice'), await alice.history('bob')])
    t.deepEqual(messages.at(-1)?.file, facts)
  t.deepEqual((await bob.search('look')).messages[0]?.file, facts)
  t.true(content.equals(await contentOf(bob, file.id)))
  t.true(content.subarray(300 * KIB).equals(await contentOf(bob, file.id, { offset: 300 * KIB })))
  t.like(await bob.fileInfo(file.id), { name: 'build.log', own: false })
  const phone = await stage.user('bob')
  const backlog = nextPush(phone, OnNewMessage)
  await phone.receive()
  t.like((await backlog).messages[0], { file: file.id, fileName: 'build.log' })
})

test('without a text, the text is the name and size of the file; without either a message is refused', async (t) => {
  const { alice, bob } = await people(t, 'alice', 'bob')
  await alice.request(CreateRoom, GROUP)
  await bob.request(JoinRoom, GROUP)
  const { id: file } = await alice.upload(Buffer.alloc(1_234_567), { name: 'holiday.tar' })
  const clientId = 'the same'
  const sent = await alice.send('bob', '', { file, clientId })
  await alice.send(GROUP, '', { file })
  t.is((await bob.history('alice')).messages[0]?.text, 'holiday.tar (1.2 MB)')
  t.like((await bob.groupHistory('ops')).messages[0], { text: 'holiday.tar (1.2 MB)', file: { id: file } })
  await alice.deleteFile(file)
  t.deepEqual(await alice.send('bob', '', { file, clientId }), { ...sent, repeat: true })
  t.is(await refusal(t, alice.send('bob', '', { file })), 'no_file')
  for (const to of ['bob', GROUP]) t.is(await refusal(t, alice.send(to, '')), 'invalid_value')
})

test('a stream is uploaded as it comes; its size must be right', async (t) => {
  const { alice } = await people(t, 'alice')
  const content = randomBytes(700 * KIB)
  const pieces = function* () {
    for (let at = 0; at < content.length; at += 10_007) yield content.subarray(at, at + 10_007)
  }
  const size = content.length
  for (const source of [Readable.from(pieces()), new Blob([content]), new Blob([content]).stream()]) {
    const { id } = await alice.upload(source, { name: 'data', size })
    t.true(content.equals(await contentOf(alice, id)))
  }
  await t.throwsAsync(alice.upload(Readable.from(pieces()), { name: 'data' }), { message: /needs its `size`/ })
  await t.throwsAsync(alice.upload(Readable.from(pieces()), { name: 'data', size: size + 1 }), {
    message: /ends after/,
  })
  await t.throwsAsync(alice.upload(Readable.from(pieces()), { name: 'data', size: size - 1 }), { message: /has more/ })
})

test('an upload is resumed with its client id, in another session and after a restart of the server', async (t) => {
  const { alice, stage } = await people(t, 'alice')
  const content = randomBytes(300 * KIB)
  const about = { name: 'big', size: content.length, clientId: 'mine' }
  const { upload, offset } = await alice.request(BeginUpload, about)
  t.is(offset, 0)
  const data = content.subarray(0, 100 * KIB)
  t.deepEqual(await alice.request(UploadChunk, { upload, offset, data }), { offset: 100 * KIB })
  t.deepEqual(
    await alice.request(UploadChunk, { upload, offset, data }),
    { offset: 100 * KIB },
    'a repeat changes nothing',
  )
  const phone = await stage.user('alice')
  t.like(await phone.request(BeginUpload, about), { upload, offset: 100 * KIB })
  await stage.close()
  const again = await startLocalServer(t, { data: stage.data })
  const later = await again.user('alice')
  t.is(await refusal(t, later.request(UploadChunk, { upload, offset: 100 * KIB, data })), 'no_upload')
  const seen: number[] = []
  const file = await later.upload(Readable.from([content]), { ...about, onProgress: ({ done }) => seen.push(done) })
  t.is(seen[0], 100 * KIB)
  t.is(file.id, upload)
  t.true(content.equals(await contentOf(later, file.id)))
  t.is((await later.upload(content, about)).id, upload, 'a finished one gets the same reply')
  t.is(await refusal(t, later.upload(content, { ...about, name: 'other' })), 'client_id_reused')
})

test('an upload and a download go on when the connection is lost', async (t) => {
  await using server = await testServer({ clock: 'system' })
  const { client } = await server.user('alice')
  const content = randomBytes(900 * KIB)
  let losses = 0
  const lose = () => {
    if (losses++ < 3) server.loseConnections('alice')
  }
  const { id } = await client.upload(Readable.from([content]), { name: 'x', size: content.length, onProgress: lose })
  losses = 0
  t.true(content.equals(await contentOf(client, id, { onProgress: lose })))
})

test('bytes that are missing, too many or different finish no upload', async (t) => {
  const { alice } = await people(t, 'alice')
  const content = randomBytes(10)
  const { upload } = await alice.request(BeginUpload, { name: 'x', size: 10, clientId: 'x' })
  const finish = (bytes: Uint8Array) => alice.request(FinishUpload, { upload, sha256: sha256(bytes) })
  t.is(await refusal(t, finish(content)), 'file_incomplete')
  t.is(await refusal(t, alice.request(UploadChunk, { upload, offset: 0, data: randomBytes(11) })), 'invalid_value')
  await alice.request(UploadChunk, { upload, offset: 0, data: randomBytes(10) })
  t.is(await refusal(t, finish(content)), 'file_differs')
  t.like(await alice.request(BeginUpload, { name: 'x', size: 10, clientId: 'x' }), { upload, offset: 0 })
  await alice.request(UploadChunk, { upload, offset: 0, data: content })
  t.like(await finish(content), { file: upload, size: 10 })
  t.like(await finish(content), { file: upload, size: 10 }, 'a repeat')
})

test('who may not read a message with a file is refused as for a file that does not exist', async (t) => {
  const { alice, bob, carol, dave } = await people(t, 'alice', 'bob', 'carol', 'dave')
  await alice.request(CreateRoom, GROUP)
  for (const member of [bob, dave]) await member.request(JoinRoom, GROUP)
  const upload = async (name: string) => (await alice.upload(randomBytes(9), { name })).id
  const files = [await upload('private'), await upload('group'), await upload('unattached')] as const
  const [inPrivate, inGroup, unattached] = files
  const sent = await alice.send('bob', 'for you', { file: inPrivate })
  await alice.send(GROUP, 'for all', { file: inGroup })
  const mayNot = async (client: Client, file: number) => {
    for (const request of [
      client.request(ReadFile, { file }),
      client.request(ReadFile, { file, variant: 'preview' }),
      client.request(QueryFile, { file }),
      client.send('carol', 'forwarded', { file }),
    ])
      t.is(await refusal(t, request), 'no_file')
  }
  for (const file of [...files, unattached + 1000]) await mayNot(carol, file)
  await mayNot(dave, inPrivate)
  for (const member of [bob, dave]) await mayNot(member, unattached)
  t.is((await contentOf(dave, inGroup)).length, 9)
  t.is((await contentOf(bob, inPrivate)).length, 9)
  await alice.request(BlockUser, { user: 'bob' })
  t.is((await contentOf(bob, inPrivate)).length, 9, 'as he may read the message')
  await dave.request(LeaveRoom, GROUP)
  await mayNot(dave, inGroup)
  await carol.request(JoinRoom, GROUP)
  await mayNot(carol, inGroup)
  await alice.recall(sent.id)
  await mayNot(bob, inPrivate)
  t.is((await contentOf(alice, inPrivate)).length, 9, 'her own')
  await bob.send('carol', 'forwarded', { file: inGroup })
  t.is((await contentOf(carol, inGroup)).length, 9, 'forwarded by a reader')
  await alice.deleteFile(inGroup)
  for (const client of [alice, bob, carol]) await mayNot(client, inGroup)
  t.is(await refusal(t, bob.deleteFile(unattached)), 'no_file')
})

test('the database is asked the same, whether a file that a user may not read exists or not', async (t) => {
  await using server = await testServer()
  const [alice, mallory] = [await server.user('alice'), await server.user('mallory')]
  await alice.request(CreateRoom, GROUP)
  const files = []
  for (const name of ['unattached', 'private', 'group'])
    files.push((await alice.client.upload(randomBytes(9), { name })).id)
  const [, inPrivate = 0, inGroup = 0] = files
  await alice.client.send('alice', '', { file: inPrivate })
  await alice.client.send(GROUP, '', { file: inGroup })
  const asked: string[] = []
  server.db.on('query', ({ sql }: { sql: string }) => asked.push(sql))
  const statementsOf = async (work: () => Promise<unknown>) => {
    await server.settled()
    asked.length = 0
    t.is(await mallory.refused(work()), 'no_file')
    return asked.join('\n')
  }
  const requests = [
    (file: number) => mallory.request(QueryFile, { file }),
    (file: number) => mallory.request(ReadFile, { file }),
    (file: number) => mallory.client.send('mallory', 'mine?', { file, clientId: '' }),
  ]
  for (const request of requests) {
    const unknown = await statementsOf(() => request(1_000_000))
    t.true(unknown.includes('stored_file'))
    for (const file of files) t.is(await statementsOf(() => request(file)), unknown)
  }
})

test('the files of a conversation and own files are listed, newest first, in pages', async (t) => {
  const { alice, bob, carol } = await people(t, 'alice', 'bob', 'carol')
  await alice.request(CreateRoom, GROUP)
  await bob.request(JoinRoom, GROUP)
  const names = ['a', 'b', 'c']
  for (const name of names) {
    const { id: file } = await alice.upload(randomBytes(5), { name })
    await alice.send('bob', `private ${name}`, { file })
    await alice.send(GROUP, `group ${name}`, { file })
    await alice.send('bob', 'without')
  }
  const { id: file } = await bob.upload(randomBytes(5), { name: 'from bob' })
  await bob.send('alice', '', { file })
  const namesOf = (page: { files: { name: string }[] }) => page.files.map(({ name }) => name)
  const first = await bob.files({ with: 'alice', limit: 2 })
  t.deepEqual(namesOf(first), ['from bob', 'c'])
  t.like(first.files[1]?.message, { from: 'alice' })
  const second = await bob.files({ with: 'alice', limit: 2, before: first.next })
  t.deepEqual([namesOf(second), second.next], [['b', 'a'], 0])
  t.deepEqual(namesOf(await bob.files({ group: 'ops' })), ['c', 'b', 'a'])
  const own = await alice.files({ limit: 2 })
  t.deepEqual(namesOf(own), ['c', 'b'])
  t.deepEqual(namesOf(await alice.files({ before: own.next })), ['a'])
  t.like(await alice.fileUsage(), { files: 3, bytes: 15 })
  t.is(await refusal(t, carol.files({ group: 'ops' })), 'not_member')
  t.deepEqual((await carol.files({ with: 'alice' })).files, [])
})

test('a scheduled message carries its file, which is checked at once and when it is sent', async (t) => {
  await using server = await testServer()
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const schedule = (file: number, clientId: string) =>
    alice.request(ScheduleMessage, { to: 'bob', text: '', delay: 60_000, file, clientId })
  const { id: file } = await alice.client.upload(randomBytes(5), { name: 'plan.txt' })
  const { id: other } = await alice.client.upload(randomBytes(5), { name: 'gone.txt' })
  t.is(await alice.refused(schedule(file + 1000, 'x')), 'no_file')
  const first = await schedule(file, 'plan')
  await schedule(other, 'gone')
  t.deepEqual(await schedule(file, 'plan'), { ...first, repeat: true })
  t.is(await alice.refused(schedule(other, 'plan')), 'client_id_reused')
  await alice.client.deleteFile(other)
  await server.clock.advance(60_000)
  t.like(await bob.hears('plan.txt (5 B)'), { file: { id: file } })
  const { messages } = await alice.request(QueryScheduled, { all: true })
  t.deepEqual(
    messages.map((message) => [message.file, message.state]),
    [
      [file, 'sent'],
      [other, 'failed'],
    ],
  )
})

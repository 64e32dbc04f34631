import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { BeginUpload, UploadChunk } from '../../client/index.ts'
import { KEPT, Ledger } from '../support/endurance/ledger.ts'
import { line, MINUTES, testWhere, times } from '../support/endurance/rounds.ts'
import { storedFor } from '../support/endurance/senders.ts'
import { startServerProcess } from '../support/processes/server-process.ts'
import { refusal } from '../support/requests.ts'
import { tempFolder } from '../support/temp-folder.ts'

const mount = (folder: string, size: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', folder]).status === 0
const unmount = (folder: string) => spawnSync('umount', [folder]).status === 0

/** Mounting needs root. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'chatctl-mount-'))
  try {
    return mount(folder, '64k') && unmount(folder)
  } finally {
    rmdirSync(folder)
  }
}

const test = testWhere(canMount(), 'a small file system cannot be mounted here: a full disk', { optional: true })

const PADDING = 'x'.repeat(8000)
const CHUNK_BYTES = 64 * 1024

test('on a full disk the server refuses messages and serves reads, and it recovers once there is space', async (t) => {
  const rounds = times(2, 20)
  t.timeout(times(2, 20) * MINUTES)
  const data = await tempFolder(t)
  // Large enough for the database and its WAL over all rounds.
  t.true(mount(data, '64m'))
  t.teardown(() => {
    if (!unmount(data)) throw new Error(`${data} cannot be unmounted`)
  })
  const server = await startServerProcess(t, { args: ['--data', data] })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const ledger = new Ledger()
  const send = async (number: number) => {
    const text = `alice ${number} ${PADDING}`
    ledger.attempt(text)
    const { id } = await alice.send('bob', text, { clientId: String(number) })
    ledger.acknowledge(text, id)
  }
  let number = 0
  for (let round = 1; round <= rounds; round++) {
    // Another file fills the disk almost completely.
    const ballast = join(data, 'ballast')
    await fill(ballast, 256 * 1024)
    let refused: Promise<void> | undefined
    while (refused === undefined) {
      const sending = send(++number)
      await sending.catch(() => {
        refused = sending
      })
    }
    t.is(await refusal(t, refused), 'unavailable')
    t.is(await refusal(t, send(number)), 'unavailable', 'refused at the second attempt too')
    t.true((await bob.history('alice', { limit: 5 })).messages.length === 5, 'stored messages can be read')
    await (await server.user('bob')).close()
    await rm(ballast)
    await send(number)
    await send(++number)
  }
  ledger.find(await storedFor(bob))
  const figures = ledger.figures()
  t.log(line({ rounds, ...figures }))
  t.like(figures, { ...KEPT, acknowledged: figures.attempted, stored: figures.attempted })
  t.is((await server.stop()).code, 0)
  const db = new Database(join(data, 'chat.db'), { readonly: true })
  t.is(db.pragma('integrity_check', { simple: true }), 'ok')
  db.close()
})

test('on a full disk an upload is refused, and it goes on where it was once there is space', async (t) => {
  const data = await tempFolder(t)
  const files = join(data, 'files')
  await mkdir(files)
  t.true(mount(files, '16m'))
  t.teardown(() => {
    if (!unmount(files)) throw new Error(`${files} cannot be unmounted`)
  })
  const options = {
    CHATCTL_OPTIONS: JSON.stringify({
      registration: { iterations: 4096, minPassword: 1 },
      friends: { messagesFrom: 'anyone' },
    }),
  }
  const args = ['--data', data, '--limits', 'fileFreeSpace=1']
  const server = await startServerProcess(t, { args, env: options })
  const [alice, bob] = [await server.user('alice'), await server.user('bob')]
  const ballast = join(files, 'ballast')
  const content = randomBytes(4 * 1024 * 1024)
  const how = { name: 'x', size: content.length, clientId: 'x' }
  const { upload } = await alice.request(BeginUpload, how)
  await fill(ballast, 256 * 1024)
  const chunk = (offset: number) =>
    alice.request(UploadChunk, { upload, offset, data: content.subarray(offset, offset + CHUNK_BYTES) })
  let offset = 0
  let refused: string | undefined
  while (refused === undefined) {
    const sending = chunk(offset)
    await sending.then(
      () => {
        offset += CHUNK_BYTES
      },
      async () => {
        refused = await refusal(t, sending)
      },
    )
  }
  t.is(refused, 'no_space')
  t.true(offset < content.length)
  t.is(await refusal(t, chunk(offset)), 'no_space', 'refused at the second attempt too')
  t.is(await refusal(t, alice.request(BeginUpload, { ...how, clientId: 'y' })), 'no_space', 'before its bytes flow')
  t.deepEqual((await alice.files()).files, [])
  await alice.send('bob', 'the room goes on')
  await rm(ballast)
  const { id } = await alice.upload(content, { name: 'x', clientId: 'x' })
  await alice.send('bob', 'here it is', { file: id })
  const got: Buffer[] = []
  for await (const part of bob.download(id)) got.push(part)
  t.true(content.equals(Buffer.concat(got)))
  t.is((await server.stop()).code, 0)
})

/** Fills a disk up to some bytes. */
async function fill(file: string, spare: number) {
  const block = Buffer.alloc(64 * 1024)
  let size = 0
  try {
    for (;;) {
      await writeFile(file, block, { flag: 'a' })
      size += block.length
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
  await truncate(file, Math.max(0, size - spare))
}

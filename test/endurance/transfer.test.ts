import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { aliceAndBob } from '../cli/alice-and-bob.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import { isLong } from '../support/endurance/rounds.ts'
import { S3_CREDENTIALS, startS3 } from '../support/s3.ts'

const AS = { alice: ['--context', 'alice'], bob: ['--context', 'bob'] } as const

const TRANSFER_BYTES = isLong ? 100_000_000 : 10_000_000
/** Bytes a second: slow enough that a transfer is in the middle when it is killed. */
const RATE = isLong ? 10_000_000 : 4_000_000

/** The path of the one file of such a name in a folder. */
const partIn = (folder: string, name: RegExp) => async () => {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Made with the first file.
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found = names.find((each) => name.test(each))
  return found && join(folder, found)
}

/** Waits until a file has so many bytes; it must not shrink meanwhile. */
async function grows(find: () => Promise<string | undefined>, bytes: number): Promise<number> {
  for (let before = 0; ; ) {
    const path = await find()
    const size = path === undefined ? 0 : (await stat(path)).size
    if (size < before) throw new Error(`${path} shrank from ${before} to ${size} bytes`)
    if (size >= bytes) return size
    before = size
  }
}

interface Store {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** An upload and a download, each interrupted by the death of the program and of the server. */
async function play(t: ExecutionContext, { args = [], env = {} }: Store = {}) {
  const database = process.env.TEST_DATABASE && (await newDatabase(process.env.TEST_DATABASE))
  if (database) t.teardown(database.drop)
  const ofDatabase = database ? ['--db', database.url] : []
  const settings = ['--limits', `fileBytes=${RATE},fileBurst=131072`, ...args, ...ofDatabase]
  const { shell, room } = await aliceAndBob(t, settings, { env })
  const path = (name: string) => join(shell.folder, name)
  const content = randomBytes(TRANSFER_BYTES)
  await writeFile(path('large.bin'), content)
  let server = room
  const crash = async () => {
    await server.stop('SIGKILL')
    server = await shell.serve([...settings, '--port', room.server.replace(/.*:/, '')], { env })
  }
  const uploaded = partIn(path('room/files/.part'), /^[0-9a-f]+$/)
  const downloaded = partIn(shell.folder, /\.part$/)
  for (const [words, part] of [
    [['send', 'bob', '--file', 'large.bin', ...AS.alice], uploaded],
    [['files', 'get', '1', '-o', 'got.bin', ...AS.bob], downloaded],
  ] as const) {
    const killed = shell.start(words)
    const sofar = await grows(part, TRANSFER_BYTES * 0.4)
    killed.child.kill('SIGKILL')
    t.is((await killed.done).signal, 'SIGKILL')
    const resumed = shell.start(words)
    await grows(part, sofar)
    await grows(part, TRANSFER_BYTES * 0.6)
    await crash()
    t.is((await resumed.done).code, 0)
  }
  t.true((await readFile(path('got.bin'))).equals(content))
  t.is((await shell.run(['inbox', ...AS.bob, '-o', 'plain'])).stdout.split('\n').length, 2)
}

test.serial('an upload and a download go on after SIGKILL of the program, and of the server', (t) => play(t))

test.serial('so they do with a store on S3', async (t) => {
  const { store } = await startS3(t)
  const { accessKeyId, secretAccessKey } = S3_CREDENTIALS
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
  await play(t, { args: ['--files', store], env })
})

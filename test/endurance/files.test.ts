import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  type ChatMessage,
  type Client,
  type ClientError,
  FilesGc,
  RefusedByServer,
  VerifyFiles,
} from '../../client/index.ts'
import { newDatabase } from '../support/databases/mariadb.ts'
import { line, MINUTES, seeded, times } from '../support/endurance/rounds.ts'
import { type ServerProcess, startServerProcess } from '../support/processes/server-process.ts'
import { S3_CREDENTIALS, startS3 } from '../support/s3.ts'

const NAMES = ['alice', 'carol', 'dave']
const MAX_BYTES = 400 * 1024
const MOST_A_ROUND = 25
/** The sweep, which runs all the time here, takes what no message carries, and its content, at once. */
const LIMITS = { fileUnattached: 1, fileGrace: 0, fileBytes: 1e9, fileBurst: 1e9, fileUploads: 1e6 }

interface Variant {
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  /** Names of the contents that are in the store. */
  stored(server: ServerProcess): Promise<string[]>
}

const inFolder = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((name) => /\/./.test(name))

const ON_DISK: Variant = { stored: ({ data }) => inFolder(join(data, 'files')) }

const VARIANTS: Readonly<Record<string, (t: ExecutionContext) => Promise<Variant>>> = {
  'SQLite and a folder': async () => ON_DISK,
  S3: async (t) => {
    const { store, folder } = await startS3(t)
    const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = S3_CREDENTIALS
    const stored = async () => (await inFolder(join(folder, 'chat'))).filter((name) => name.endsWith('_object'))
    return { args: ['--files', store], env: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }, stored }
  },
  ...(process.env.TEST_DATABASE !== undefined && {
    MariaDB: async (t: ExecutionContext) => {
      const { url, drop } = await newDatabase(process.env.TEST_DATABASE as string)
      t.teardown(drop)
      return { ...ON_DISK, env: { CHATCTL_DB: url } }
    },
  }),
}

/** What the users have done so far. */
class Work {
  /** Actions that were answered. */
  done = 0
  /** Messages whose deletion or whose file's deletion was requested: they may be gone. */
  readonly given = new Set<number>()
  /** Messages that were acknowledged. */
  readonly sent = new Set<number>()
  #wanted = Number.POSITIVE_INFINITY
  #reached = () => {}
  readonly #random: () => number
  #uploads = 0

  constructor(random: () => number) {
    this.#random = random
  }

  /** Resolves when so many more actions were answered. */
  actions(count: number): Promise<void> {
    this.#wanted = this.done + count
    return new Promise((resolve) => {
      this.#reached = resolve
    })
  }

  /** Uploads, sends, recalls and deletes until the connection is lost. */
  async asUser(client: Client) {
    for (;;) {
      const content = Buffer.alloc(1 + Math.floor(this.#random() * MAX_BYTES), `${++this.#uploads} `)
      const name = createHash('sha256').update(content).digest('hex')
      const { id: file } = await client.upload(content, { name, clientId: `upload ${this.#uploads}` })
      this.#answered()
      const { id } = await client.send('bob', name, { file })
      this.sent.add(id)
      this.#answered()
      const next = this.#random()
      if (next > 0.5) continue
      this.given.add(id)
      await (next < 0.25 ? client.recall(id) : client.deleteFile(file))
      this.#answered()
    }
  }

  /** Sweeps until the connection is lost. */
  async asOperator(client: Client) {
    for (;;) {
      await client.request(FilesGc, {})
      this.#answered()
    }
  }

  #answered() {
    this.done++
    if (this.done >= this.#wanted) this.#reached()
  }
}

/** Repeats work that the sweep has refused, until the connection is lost. */
async function untilLost(work: () => Promise<void>) {
  for (;;) {
    try {
      await work()
    } catch (error) {
      // Between upload and message the sweep may take the file.
      if (error instanceof RefusedByServer && ['no_file', 'no_upload'].includes(error.failure)) continue
      if (['lost', 'closed'].includes((error as ClientError).code)) return
      throw error
    }
  }
}

async function allMessages(bob: Client): Promise<ChatMessage[]> {
  const found: ChatMessage[] = []
  for (let more = true; more; ) {
    const page = await bob.inbox({ after: found.at(-1)?.id ?? 0, limit: 100, all: true })
    found.push(...page.messages)
    more = page.more
  }
  return found
}

async function hashOf(client: Client, file: number): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of client.download(file)) hash.update(part)
  return hash.digest('hex')
}

/** After a restart: each file has its content, each message its file. */
async function check(t: ExecutionContext, server: ServerProcess, work: Work) {
  const [bob, operator] = [await server.user('bob'), await server.operator()]
  for (let after = 0, more = true; more; ) {
    const { next, faults } = await operator.request(VerifyFiles, { after })
    t.deepEqual(faults, [])
    after = next
    more = next !== 0
  }
  const messages = await allMessages(bob)
  const ids = new Set(messages.map(({ id }) => id))
  for (const id of work.sent) if (!work.given.has(id)) t.true(ids.has(id), `message ${id} was acknowledged`)
  for (const { id, text, file } of messages) {
    if (work.given.has(id)) continue
    t.is(file?.name, text)
    t.is(await hashOf(bob, file?.id ?? 0), text, `the file of message ${id}`)
  }
  await Promise.all([bob.close(), operator.close()])
  return messages
}

for (const [name, open] of Object.entries(VARIANTS))
  test.serial(
    `while the server is killed under uploads, messages, recalls and sweeps, no file is lost: ${name}`,
    async (t) => {
      const rounds = times(6, 60)
      t.timeout(rounds * 60_000 + MINUTES)
      const random = seeded(t)
      const { args = [], env = {}, stored } = await open(t)
      const server = await startServerProcess(t, { limits: LIMITS, args, env })
      await (await server.user('bob')).close()
      const work = new Work(random)
      for (let round = 1; round <= rounds; round++) {
        const users = await Promise.all(NAMES.map((user) => server.user(user)))
        const operator = await server.operator()
        const running = [
          ...users.map((client) => untilLost(() => work.asUser(client))),
          untilLost(() => work.asOperator(operator)),
        ]
        await work.actions(1 + Math.floor(random() * MOST_A_ROUND))
        await server.stop('SIGKILL')
        await Promise.all(running)
        await server.start()
        await check(t, server, work)
      }
      const messages = await check(t, server, work)
      t.log(line({ rounds, actions: work.done, messages: messages.length, stored: (await stored(server)).length }))
      t.true(messages.length > 0)
      for (const user of NAMES) {
        const client = await server.user(user)
        for (const { id, from } of messages) if (from === user) await client.recall(id)
        await client.close()
      }
      const operator = await server.operator()
      await operator.request(FilesGc, {})
      t.deepEqual(await stored(server), [], 'all content and all parts are swept')
      t.like(await operator.request(VerifyFiles, {}), { files: 0 })
      await operator.close()
    },
  )

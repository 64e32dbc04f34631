import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import pino from 'pino'
import { type Client, ContactChanged, OnNewMessage } from '../../../client/index.ts'
import type { PluginFailure, Role } from '../../../core/index.ts'
import { migrate, openDatabase } from '../../../db/index.ts'
import type { KnownLimitSettings } from '../../../plugins/index.ts'
import { startOn } from '../../../testing/start.ts'
import { Faults } from '../databases/fault-injection.ts'
import { newDatabase } from '../databases/mariadb.ts'
import { tempFolder } from '../temp-folder.ts'

/** Time limit of a wait, also on a loaded machine. */
const WAIT_MS = 20_000

/** Records the pushes to one session. */
export class SessionRecorder {
  readonly client: Client
  readonly name: string
  /** Every push, repeats included. */
  readonly pushed: { id: number; from: string; group: string; text: string }[] = []
  readonly contacts = new Map<string, { unread: number; lastId: number }>()
  closed = false
  readonly #waiting = new Set<() => void>()

  constructor(name: string, client: Client) {
    this.name = name
    this.client = client
    client.on(OnNewMessage, ({ messages }) => {
      this.pushed.push(...messages)
      this.#wake()
    })
    client.on(ContactChanged, ({ contacts }) => {
      for (const { kind, name, unread, lastId } of contacts) this.contacts.set(`${kind} ${name}`, { unread, lastId })
      this.#wake()
    })
    client.onLife('closed', () => {
      this.closed = true
      this.#wake()
    })
  }

  /** Waits for a push that fulfils a condition. @throws Error after the time limit, or when the session ends */
  async until(isSo: () => boolean, what: string) {
    const end = performance.now() + WAIT_MS
    while (!isSo()) {
      const left = end - performance.now()
      if (this.closed) throw new Error(`the session of ${this.name} was closed before ${what}`)
      if (left <= 0) throw new Error(`${this.name} did not receive ${what}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.add(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  heard(text: string): Promise<void> {
    return this.until(() => this.pushed.some((message) => message.text === text), `"${text}"`)
  }

  #wake() {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }
}

export interface FaultServer {
  readonly db: Knex
  readonly faults: Faults
  /** Errors of plugins other than outages of the database. */
  failures(): readonly PluginFailure[]
  /** Logs in a user, whose account is created at the first call, and starts to receive. */
  session(name: string, role?: Role): Promise<SessionRecorder>
}

/**
 * A test server whose database fails on command.
 * @param mariadb server for a new database. Default `TEST_DATABASE`; if that is unset, a SQLite file
 */
export async function openFaultServer(
  t: ExecutionContext,
  limits: KnownLimitSettings = {},
  mariadb = process.env.TEST_DATABASE,
): Promise<FaultServer> {
  const made = mariadb === undefined ? undefined : await newDatabase(mariadb)
  const db = await openDatabase(made?.url ?? join(await tempFolder(t), 'chat.db'), { statementTimeout: 4000 })
  await migrate(db)
  const server = await startOn(db, {
    limits,
    clock: 'system',
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
    ignoreFailures: true,
  })
  t.teardown(async () => {
    await server.dispose()
    await made?.drop()
  })
  return {
    db,
    faults: new Faults(db),
    failures: () => server.failures(),
    async session(name, role = 'user') {
      const keys = await server.account(name, role)
      const client = await server.connect({ reconnect: false })
      await client.login(name, { keys })
      const ear = new SessionRecorder(name, client)
      await client.receive()
      return ear
    },
  }
}

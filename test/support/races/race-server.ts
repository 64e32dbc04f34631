import pino from 'pino'
import { BUILT_IN_MESSAGES, type Client, OnNewMessage, RefusedByServer } from '../../../client/index.ts'
import type { ClientMessage, InputOf } from '../../../core/index.ts'
import { migrate, openDatabase, openInMemory } from '../../../db/index.ts'
import { startOn } from '../../../testing/start.ts'
import { newDatabase } from '../databases/mariadb.ts'
import { Jitter } from './jitter.ts'

export const USERS = ['alice', 'bob', 'carol', 'dave'] as const
export type UserName = (typeof USERS)[number]

/** A user with two sessions that make requests and one that only receives. */
export class RaceUser {
  readonly name: UserName
  /** Pushes to the receiving session since the last reset. */
  pushes: string[] = []
  readonly #enter: () => Promise<Client>
  #sessions: Client[] = []
  /** Resolves when the server has ended the sessions. */
  closed = Promise.resolve()

  constructor(name: UserName, enter: () => Promise<Client>) {
    this.name = name
    this.#enter = enter
  }

  async logIn() {
    this.#sessions = await Promise.all([this.#enter(), this.#enter(), this.#enter()])
    for (const session of this.#sessions) await session.receive()
    this.closed = new Promise((resolve) => {
      this.listener.onLife('closed', () => {
        this.#sessions = []
        resolve()
      })
    })
    for (const message of BUILT_IN_MESSAGES) {
      if (message.from !== 'server') continue
      this.listener.on(message, (values) => this.#pushed(message.name, values))
    }
  }

  get listener(): Client {
    return this.#sessions[2] as Client
  }

  /** The session that makes the requests of side 0 or 1. */
  on(side: number): Client {
    return this.#sessions[side] as Client
  }

  get isHere(): boolean {
    return this.#sessions.length > 0
  }

  #pushed(name: string, values: object) {
    if (name === OnNewMessage.name) {
      const { messages } = values as { messages: { from: string; to: string; group: string; text: string }[] }
      for (const { from, to, group, text } of messages) this.pushes.push(`${from} to ${to}${group}: ${text}`)
    } else if (!/on_off_line|closing|contact|keep_alive/.test(name)) this.pushes.push(`${name} ${shown(values)}`)
  }
}

/** Without ids and times, which differ in every run. */
const shown = (values: object) =>
  JSON.stringify(values, (key, value) => (/^(id|at|sentAt|since|position|messageId|upTo)$/.test(key) ? 0 : value))

/** The outcome of a request: its reply, or the name of the failure. */
export async function outcomeOf(request: Promise<unknown>): Promise<string> {
  try {
    return shown((await request) as object)
  } catch (error) {
    if (error instanceof RefusedByServer) return error.failure
    throw error
  }
}

export const ask = <M extends ClientMessage>(client: Client, message: M, values: InputOf<M>): Promise<string> =>
  outcomeOf(client.request(message, values))

/** A test server on SQLite in memory or on a new database of a MariaDB server, with the four users logged in. */
export async function openRaceServer(mariadb: string | undefined) {
  const made = mariadb === undefined ? undefined : await newDatabase(mariadb)
  const db = made === undefined ? openInMemory() : await openDatabase(made.url)
  await migrate(db)
  const jitter = new Jitter(db)
  const server = await startOn(db, {
    pluginOptions: { friends: {} },
    limits: { unacknowledged: 1_000_000, requestsAtOnce: 100, scheduled: 1_000_000, friendRequests: 500 },
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
  })
  const enter = async (name: string) => {
    const keys = await server.account(name)
    const client = await server.connect({ reconnect: false })
    await client.login(name, { keys })
    return client
  }
  const people = Object.fromEntries(USERS.map((name) => [name, new RaceUser(name, () => enter(name))]))
  for (const name of USERS) await (people[name] as RaceUser).logIn()
  return {
    db,
    jitter,
    operator: await server.operator(),
    people: people as Record<UserName, RaceUser>,
    failures: () => server.failures().map(({ error }) => error),
    async close() {
      await server.dispose()
      await made?.drop()
    },
  }
}

export type RaceServer = Awaited<ReturnType<typeof openRaceServer>>

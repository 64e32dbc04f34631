import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { LoginKeys } from '../../../../client/credentials.ts'
import { AddFriend, CreateRoom, connect, FriendList, JoinRoom, QueryContacts } from '../../../../client/index.ts'
import { Ledger } from '../../endurance/ledger.ts'
import type { Random } from '../../random.ts'
import { Breaches } from './breaches.ts'
import { Device, type Habit } from './device.ts'
import { GROUPS, type Notes, Person } from './person.ts'
import type { Sites } from './sites.ts'

const TALKERS = ['ann', 'bob', 'carol', 'dave', 'eve', 'frank']
const ROBOT = 'robot'
const LOOK_MS = 20

/** Someone at one site who sees who is online, and someone there whose node may die. */
export interface Neighbours {
  readonly watcher: Device
  readonly dweller: Device
}

/** Users of all nodes. */
export class Crowd {
  readonly breaches = new Breaches()
  readonly notes: Notes = { ledger: new Ledger(), scheduled: new Map() }
  readonly people: readonly Person[]
  readonly robot: Device
  /** By site. */
  readonly neighbours: readonly Neighbours[]
  readonly #writers: readonly Person[]
  readonly #keys = new Map<string, LoginKeys>()
  #isOver = true
  #acting: Promise<unknown> = Promise.resolve()

  constructor(sites: Sites, random: Random) {
    const sockets = sites.all.map(({ socket }) => socket)
    const from = (index: number) => sockets.map((_, at) => sockets[(index + at) % sockets.length] as string)
    const device = (user: string, number: number, habit: Habit, where: readonly string[], read = new Map()) =>
      new Device({ name: `${user}.${number}`, user, habit, sockets: where, read, breaches: this.breaches })
    const dwellers = sockets.map((_, at) => `dweller${at + 1}`)
    const cast = { talkers: TALKERS, others: [ROBOT, ...dwellers] }
    this.people = TALKERS.map((name, index) => {
      const read = new Map<string, number>()
      const habits: Habit[] = [index % 2 === 0 ? 'reads all' : 'reads some', 'reads all', 'reads some']
      const devices = habits
        .slice(0, index < 2 ? 3 - index : 1)
        .map((habit, at) => device(name, at + 1, habit, from(index + at), read))
      return new Person(name, devices, random.fork(), this.notes, cast)
    })
    this.robot = device(ROBOT, 1, 'consumes', from(1))
    this.neighbours = sockets.map((socket, at) => ({
      watcher: device(`watcher${at + 1}`, 1, 'reads all', [socket]),
      dweller: device(dwellers[at] as string, 1, 'reads all', [socket]),
    }))
    this.#writers = this.neighbours.map(
      ({ watcher }) => new Person(watcher.settings.user, [watcher], random.fork(), this.notes, cast),
    )
  }

  /** Devices that go to another node when theirs is lost. */
  get mobile(): Device[] {
    return [...this.people.flatMap(({ devices }) => devices), this.robot]
  }

  get all(): Device[] {
    return [...this.mobile, ...this.neighbours.flatMap(({ watcher, dweller }) => [watcher, dweller])]
  }

  async register() {
    for (const { settings } of this.all) {
      const { user, sockets } = settings
      if (!this.#keys.has(user)) this.#keys.set(user, await register(sockets[0] as string, user))
    }
  }

  /** Logs all devices in, and makes friends and groups. */
  async enter(t: ExecutionContext) {
    for (const device of this.all) {
      t.teardown(() => device.close())
      await device.start(this.#keys.get(device.settings.user) as LoginKeys)
    }
    const watched = [...this.people.map(({ device }) => device), ...this.neighbours.map(({ dweller }) => dweller)]
    for (const { watcher } of this.neighbours)
      for (const other of watched) {
        await watcher.client.request(AddFriend, { user: other.settings.user })
        await other.client.request(AddFriend, { user: watcher.settings.user })
      }
    const [owner, ...others] = watched.slice(0, TALKERS.length)
    for (const group of GROUPS) {
      await owner?.client.request(CreateRoom, { group })
      for (const other of [...others, this.robot]) await other.client.request(JoinRoom, { group })
    }
  }

  /** Everybody acts until `rest`. */
  act() {
    this.#isOver = false
    this.#acting = Promise.all(this.people.map((person) => person.act(() => this.#isOver)))
  }

  /** Resolves when nobody acts any more, and everything is answered. */
  async rest() {
    this.#isOver = true
    await this.#acting
  }

  /** At each site somebody writes to those who live there and at the others, these last, so many times. */
  async correspond(times: number) {
    await Promise.all(
      this.#writers.map(async (writer, at) => {
        const to = this.neighbours.map((_, next) => this.neighbours[(at + next) % this.neighbours.length] as Neighbours)
        for (let left = times; left > 0; left--) for (const { dweller } of to) await writer.send(dweller.settings.user)
      }),
    )
  }

  /** Resolves when so many more messages are acknowledged. */
  async more(count: number) {
    const { ledger } = this.notes
    await Promise.race([ledger.acknowledgements(ledger.acknowledged + count), this.#acting])
  }

  /** The users that the nodes report as online to the watchers, who are their friends. */
  async online(watchers = this.neighbours): Promise<string[]> {
    const lists: string[] = []
    for (const { watcher } of watchers) {
      const list = await watcher.persist(() => watcher.client.request(FriendList, {}))
      const names = list?.friends.filter(({ online }) => online).map(({ user }) => user)
      lists.push(String(names?.sort()))
    }
    return lists
  }

  /** Milliseconds until `holds`, or until the limit. */
  async until(holds: () => Promise<boolean>, limitMs = Number.POSITIVE_INFINITY): Promise<number> {
    const from = performance.now()
    while (!(await holds()) && performance.now() - from < limitMs) await sleep(LOOK_MS)
    return performance.now() - from
  }

  /** Counts of unread messages as a node tells them, by kind and name. */
  async unread({ device }: Person): Promise<Map<string, number>> {
    const told = await device.persist(() => device.client.request(QueryContacts, {}))
    const entries = told?.contacts.map(({ kind, name, unread }) => [`${kind} ${name}`, unread] as const)
    return new Map(entries?.filter(([, unread]) => unread > 0))
  }
}

async function register(path: string, user: string): Promise<LoginKeys> {
  const client = await connect({ server: { path } })
  await client.register(user, user)
  await client.login(user, { password: user })
  const { keys } = client
  await client.close()
  if (keys === undefined) throw new Error(`${user} has no keys`)
  return keys
}

import { isDeepStrictEqual } from 'node:util'
import { AddHook, QueryContacts, QueryRooms, QueryRoomUsers, QueryScheduled } from '../../../client/index.ts'
import type { LoggedMessage } from '../../support/endurance/history.ts'
import type { Judge } from '../judge/judge.ts'
import type { EventLoop } from '../machine/event-loop.ts'
import { Actions, type Own } from './actions.ts'
import { Device, type Habit, type Surroundings } from './device.ts'

const GROUPS = ['ops', 'dev']

/** Pause between two actions of a user, in milliseconds: many run into each other. */
const PAUSE_MS = [0, 250] as const

/** Time within which everything is delivered once nothing fails any more, in milliseconds. */
const DELIVERY_LIMIT_MS = 60_000
/** The same for what is scheduled and for hooks: by clocks that went wrong by a minute. */
const TIMED_LIMIT_MS = 150_000
/** Time within which every user is told who is online, in milliseconds: a node that was not heard for 10 s has no users. */
const PRESENCE_LIMIT_MS = 15_000
const LOOK_MS = 50

/** Share of the users with a hook. */
const SHARE_OF_HOOKS = 0.3

/** Kinds of contacts, as `contact_info` numbers them. */
const KIND = { user: 1, group: 4 } as const

/** A user with some devices, the first of which acts. */
interface Player {
  readonly name: string
  readonly devices: readonly Device[]
  readonly own: Own
}

/** The users of a run: what they do, and what they have to see at the end. */
export class Play {
  readonly #surroundings: Surroundings
  readonly #loop: EventLoop
  readonly #judge: Judge
  readonly #players: readonly Player[]
  #actions = 0

  constructor(surroundings: Surroundings, names: readonly string[]) {
    this.#surroundings = surroundings
    this.#loop = surroundings.loop
    this.#judge = surroundings.judge
    this.#players = names.map((name) => this.#player(name))
  }

  /** Adds hooks for some users. */
  async addHooks() {
    const { nodes, judge } = this.#surroundings
    for (const { name } of this.#players) {
      if (!this.#loop.random.chance(SHARE_OF_HOOKS)) continue
      const values = { user: name, url: `http://receiver.test/${name}`, kinds: 'private,group', reply: false, to: [] }
      await this.#loop.random.pick(nodes).administer(AddHook, values)
      judge.hooks.added(name)
    }
  }

  get actions(): number {
    return this.#actions
  }

  #player(name: string): Player {
    const { random } = this.#loop
    const read = new Map<string, number>()
    const habits: Habit[] = [random.chance(0.6) ? 'reads all' : 'reads some']
    if (random.chance(0.4)) habits.push('consumes')
    if (random.chance(0.3)) habits.push('reads some')
    const devices = habits.map((habit, at) => new Device(`${name}.${at + 1}`, name, habit, read, this.#surroundings))
    return { name, devices, own: { ids: [], scheduled: [] } }
  }

  /** All users log in and act. @param actions of each of them */
  async act(actions: number) {
    const begun = this.#players.flatMap(({ devices }) =>
      devices.map((device) => this.#in(device, () => device.start())),
    )
    await Promise.all(begun)
    const [first] = this.#players
    if (first !== undefined) await this.#each(first, (acts) => Promise.all(GROUPS.map((group) => acts.create(group))))
    await Promise.all(
      this.#players.map((player) =>
        this.#each(player, async (acts) => {
          for (const group of GROUPS) await acts.join(group)
          const lanes = this.#loop.random.below(2) + 1
          await Promise.all(Array.from({ length: lanes }, (_, lane) => this.#lane(player, lane, actions / lanes)))
        }),
      ),
    )
  }

  async #lane(player: Player, lane: number, actions: number) {
    const acts = this.#actionsOf(player, `${player.name}.${lane + 1}`)
    for (let done = 0; done < actions; done++) {
      await this.#loop.sleep(this.#loop.random.between(...PAUSE_MS))
      await acts.act()
      this.#actions++
    }
  }

  #each<T>(player: Player, work: (acts: Actions) => Promise<T>): Promise<T> {
    const [device] = player.devices
    return this.#in(device as Device, () => work(this.#actionsOf(player, `${player.name}.0`)))
  }

  #actionsOf({ name, devices: [device], own }: Player, lane: string): Actions {
    const others = this.#players.map((player) => player.name).filter((other) => other !== name)
    return new Actions(device as Device, lane, own, { others, groups: GROUPS })
  }

  /** After the faults: waits for what is due, and compares everything. */
  async end() {
    const { log } = this.#judge
    await this.#loop.sleep(Math.max(0, this.#judge.lastDue - this.#loop.now))
    await this.#scheduledDecided()
    for (const player of this.#players) await this.#checkUnread(player)
    for (const { devices } of this.#players)
      for (const device of devices) if (device.habit !== 'consumes') await this.#in(device, () => device.catchUp())
    await this.#delivered()
    await this.#posted()
    for (const player of this.#players) await this.#checkUnread(player)
    log.read()
    this.#judge.checkLog()
    await this.#presenceShown(this.#players)
    // Of a user with several devices, on several nodes, too.
    const [leaving, ...staying] = this.#players
    for (const device of leaving?.devices ?? []) await this.#in(device, () => device.close())
    await this.#presenceShown(staying)
  }

  async close() {
    for (const { devices } of this.#players) for (const device of devices) await this.#in(device, () => device.close())
  }

  /** Waits until every user has heard what is due, on one of the devices that share a read position, and by each consumer. */
  async #delivered() {
    const end = this.#loop.now + DELIVERY_LIMIT_MS
    for (const { name, devices } of this.#players) {
      const readers = devices.filter(({ habit }) => habit !== 'consumes')
      await this.#heard(readers, this.#judge.due(name), end)
      for (const device of devices) {
        if (device.habit !== 'consumes') continue
        // A consumer that could not begin earlier has begun with the next message.
        while (device.consumesFrom === undefined && this.#loop.now < end) await this.#loop.sleep(LOOK_MS)
        await this.#heard([device], this.#judge.due(name, device.consumesFrom), end)
      }
    }
  }

  async #heard(devices: readonly Device[], due: readonly LoggedMessage[], end: number) {
    const missing = () => due.find(({ id }) => !devices.some(({ heard }) => heard.has(id)))
    while (missing() !== undefined && this.#loop.now < end) await this.#loop.sleep(LOOK_MS)
    const left = missing()
    const who = devices.map(({ name, habit }) => `${name} (${habit})`).join(', ')
    if (left !== undefined) this.#judge.breach(`${who} was never pushed ${left.id}`)
  }

  /** Waits until hooks have posted what is due. */
  async #posted() {
    const { hooks } = this.#judge
    const end = this.#loop.now + TIMED_LIMIT_MS
    for (const { name } of this.#players) {
      while (hooks.missing(name) !== undefined && this.#loop.now < end) await this.#loop.sleep(LOOK_MS)
      const left = hooks.missing(name)
      if (left !== undefined) this.#judge.breach(`the hook of ${name} never posted ${left.id}`)
    }
  }

  /** Waits until the server has sent or refused all scheduled messages. */
  async #scheduledDecided() {
    const end = this.#loop.now + TIMED_LIMIT_MS
    for (const { devices, own } of this.#players) {
      for (;;) {
        const states = await this.#in(devices[0] as Device, (device) => this.#scheduledOf(device))
        const isOpen = [...states.values()].includes('waiting')
        if (!isOpen || this.#loop.now > end) {
          this.#judge.checkScheduled(own.scheduled, states)
          break
        }
        await this.#loop.sleep(1000)
      }
    }
  }

  /** Waits until every user is told who is in its groups, and that these users are online and others are not. */
  async #presenceShown(online: readonly Player[]) {
    const end = this.#loop.now + PRESENCE_LIMIT_MS
    const names = new Set(online.map(({ name }) => name))
    for (const { name, devices } of online)
      for (const [group, members] of this.#judge.membersOf(name)) {
        const should = members.map((user) => ({ user, online: names.has(user) }))
        for (;;) {
          const told = await this.#in(devices[0] as Device, (device) => this.#membersTold(device, group))
          if (isDeepStrictEqual(told, should)) break
          if (this.#loop.now > end) {
            const [is, expected] = [told, should].map((list) => JSON.stringify(list))
            return this.#judge.breach(`${name} is told that ${group} has ${is}, and should be told ${expected}`)
          }
          await this.#loop.sleep(LOOK_MS)
        }
      }
  }

  async #membersTold(device: Device, group: string) {
    const told = await device.persist(() => device.client.request(QueryRoomUsers, { group }))
    return told?.members.map(({ user, online }) => ({ user, online }))
  }

  async #scheduledOf(device: Device): Promise<Map<string, string>> {
    const ask = () => device.client.request(QueryScheduled, { all: true, limit: 100 })
    const { messages } = (await device.persist(ask)) ?? { messages: [] }
    return new Map(messages.map(({ text, state }) => [text, state]))
  }

  /** Compares the counts that a server tells with a recount, when nothing has changed between both. */
  async #checkUnread({ name, devices }: Player) {
    for (;;) {
      const before = this.#judge.recount(name)
      const told = await this.#in(devices[0] as Device, (device) => this.#countsOf(device))
      const after = this.#judge.recount(name)
      if (isDeepStrictEqual(before, after)) return this.#judge.checkUnread(name, after, told)
      await this.#loop.sleep(LOOK_MS)
    }
  }

  async #countsOf(device: Device): Promise<readonly ReadonlyMap<string, number>[]> {
    const contacts = await device.persist(() => device.client.request(QueryContacts, {}))
    const rooms = await device.persist(() => device.client.request(QueryRooms, {}))
    const ofContacts = contacts?.contacts.map(({ kind, name, unread }) => [`${kind} ${name}`, unread] as const)
    const ofRooms = rooms?.groups.map(({ group, unread }) => [`${KIND.group} ${group}`, unread] as const)
    return [new Map(ofContacts), new Map(ofRooms)]
  }

  /** Runs work in the process of a device; its result comes back to the current one. */
  #in<T>(device: Device, work: (device: Device) => Promise<T>): Promise<T> {
    return this.#loop.in(device.process, () => work(device))
  }
}

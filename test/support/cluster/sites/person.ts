import { setTimeout as sleep } from 'node:timers/promises'
import {
  BlockUser,
  InviteToRoom,
  JoinRoom,
  KickFromRoom,
  LeaveRoom,
  ScheduleMessage,
  UnblockUser,
} from '../../../../client/index.ts'
import type { Ledger } from '../../endurance/ledger.ts'
import type { Random } from '../../random.ts'
import type { Device } from './device.ts'

export const GROUPS = ['ops', 'dev']
/** Longest pause between two actions, in milliseconds. */
const PAUSE_MS = 120
const MAX_SCHEDULE_MS = 3000

/** What people write down of what they did. */
export interface Notes {
  /** Of the round. */
  ledger: Ledger
  /** Texts that were scheduled, and whether that was acknowledged. */
  readonly scheduled: Map<string, boolean>
}

export interface Cast {
  /** Who gets messages, leaves groups, and is kicked and blocked. */
  readonly talkers: readonly string[]
  /** Who gets messages, and sends none. */
  readonly others: readonly string[]
}

/** A user who acts on the first of some devices, and all of whose devices read. */
export class Person {
  readonly name: string
  readonly devices: readonly Device[]
  readonly #random: Random
  readonly #notes: Notes
  readonly #others: readonly string[]
  readonly #recipients: readonly string[]
  /** May kick and invite, and does not leave. */
  readonly #isOwner: boolean
  #sent = 0

  constructor(name: string, devices: readonly Device[], random: Random, notes: Notes, cast: Cast) {
    this.name = name
    this.devices = devices
    this.#random = random
    this.#notes = notes
    this.#others = cast.talkers.filter((other) => other !== name)
    this.#recipients = [...this.#others, ...cast.others]
    this.#isOwner = cast.talkers[0] === name
  }

  get device(): Device {
    return this.devices[0] as Device
  }

  /** Acts until the time is over. */
  async act(isOver: () => boolean) {
    while (!isOver()) {
      await this.#act()
      await sleep(this.#random.below(PAUSE_MS))
    }
  }

  async #act() {
    const random = this.#random
    const { client } = this.device
    const user = random.pick(this.#others)
    const group = random.pick(GROUPS)
    const weighted: readonly (readonly [number, () => Promise<unknown>])[] = [
      [40, () => this.send(random.pick(this.#recipients))],
      [40, () => this.send({ group })],
      [3, () => this.#schedule(random.chance(0.5) ? { to: random.pick(this.#recipients) } : { group })],
      [2, () => this.#ask(() => client.request(BlockUser, { user }))],
      [5, () => this.#ask(() => client.request(UnblockUser, { user }))],
      ...(this.#isOwner
        ? ([
            [10, () => this.#ask(() => client.request(KickFromRoom, { group, user }))],
            [20, () => this.#ask(() => client.request(InviteToRoom, { group, user }))],
          ] as const)
        : ([
            [2, () => this.#ask(() => client.request(LeaveRoom, { group }))],
            [8, () => this.#ask(() => client.request(JoinRoom, { group }))],
          ] as const)),
    ]
    let left = random.next() * weighted.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, act] of weighted) {
      left -= weight
      if (left < 0) return act()
    }
  }

  #ask<T>(request: () => Promise<T>): Promise<T | undefined> {
    return this.device.persist(request)
  }

  /** One after the other: their order in the log must be the same. */
  async send(to: string | { readonly group: string }) {
    const text = `${this.name} ${++this.#sent}`
    const { ledger } = this.#notes
    ledger.attempt(text)
    const sent = await this.#ask(() => this.device.client.send(to, text, { clientId: text }))
    if (sent !== undefined) ledger.acknowledge(text, sent.id)
  }

  async #schedule(where: { to: string } | { group: string }) {
    const text = `${this.name}-later-${this.#notes.scheduled.size} 1`
    const delay = 1 + this.#random.below(MAX_SCHEDULE_MS)
    this.#notes.scheduled.set(text, false)
    const values = { ...where, text, delay, clientId: text }
    const done = await this.#ask(() => this.device.client.request(ScheduleMessage, values))
    if (done !== undefined) this.#notes.scheduled.set(text, true)
  }
}

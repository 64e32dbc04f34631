import {
  BlockUser,
  CreateRoom,
  EditMessage,
  InviteToRoom,
  JoinRoom,
  KickFromRoom,
  LeaveRoom,
  QueryContacts,
  QueryRooms,
  RecallMessage,
  ScheduleMessage,
  UnblockUser,
} from '../../../client/index.ts'
import type { Device } from './device.ts'

/** Longest text, in characters. */
const LONG_TEXT = 3000
const LONG_SHARE = 0.05

/** A user's own messages that were stored, for recalls and edits; and the texts that were scheduled. */
export interface Own {
  readonly ids: number[]
  readonly scheduled: string[]
}

/** Writes messages one after the other: their order in the log must be the same. */
export class Lane {
  readonly #name: string
  #last = 0

  constructor(name: string) {
    this.#name = name
  }

  next(padding: string): string {
    return `${this.#name} ${++this.#last} ${padding}`
  }
}

/** What a user does, each with its weight. */
export class Actions {
  readonly #device: Device
  readonly #name: string
  readonly #lane: Lane
  readonly #own: Own
  readonly #others: readonly string[]
  readonly #groups: readonly string[]

  constructor(device: Device, lane: string, own: Own, cast: { others: readonly string[]; groups: readonly string[] }) {
    this.#device = device
    this.#name = lane
    this.#lane = new Lane(lane)
    this.#own = own
    this.#others = cast.others
    this.#groups = cast.groups
  }

  async act() {
    const { random } = this.#device.surroundings.loop
    const weighted: readonly (readonly [number, () => Promise<unknown>])[] = [
      [35, () => this.#send(random.pick(this.#others))],
      [35, () => this.#send({ group: random.pick(this.#groups) })],
      [3, () => this.#recall()],
      [3, () => this.#edit()],
      [4, () => this.#schedule()],
      [3, () => this.#request(() => this.#device.client.request(BlockUser, { user: random.pick(this.#others) }))],
      [5, () => this.#request(() => this.#device.client.request(UnblockUser, { user: random.pick(this.#others) }))],
      [2, () => this.#request(() => this.#device.client.request(LeaveRoom, this.#group()))],
      [6, () => this.#request(() => this.#device.client.request(JoinRoom, this.#group()))],
      [2, () => this.#request(() => this.#device.client.request(KickFromRoom, this.#groupAndUser()))],
      [3, () => this.#request(() => this.#device.client.request(InviteToRoom, this.#groupAndUser()))],
      [2, () => this.#request(() => this.#device.client.request(QueryContacts, {}))],
      [2, () => this.#request(() => this.#device.client.request(QueryRooms, {}))],
    ]
    let left = random.next() * weighted.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, act] of weighted) {
      left -= weight
      if (left < 0) return act()
    }
  }

  /** Creates a group, or finds that a first attempt has. */
  create(group: string) {
    return this.#request(() => this.#device.client.request(CreateRoom, { group }))
  }

  join(group: string) {
    return this.#request(() => this.#device.client.request(JoinRoom, { group }))
  }

  #group() {
    return { group: this.#device.surroundings.loop.random.pick(this.#groups) }
  }

  #groupAndUser() {
    return { ...this.#group(), user: this.#device.surroundings.loop.random.pick(this.#others) }
  }

  #request<T>(request: () => Promise<T>): Promise<T | undefined> {
    return this.#device.persist(request)
  }

  async #send(to: string | { readonly group: string }) {
    const { judge } = this.#device.surroundings
    const text = this.#lane.next(this.#padding())
    const clientId = text.slice(0, 40).trim()
    judge.ledger.attempt(text)
    const sent = await this.#request(() => this.#device.client.send(to, text, { clientId }))
    if (sent === undefined) return judge.ledger.refuse(text)
    judge.acknowledged(text, sent.id)
    this.#own.ids.push(sent.id)
  }

  #padding(): string {
    const { random } = this.#device.surroundings.loop
    return 'x'.repeat(random.chance(LONG_SHARE) ? random.below(LONG_TEXT) : random.below(20))
  }

  async #recall() {
    const id = this.#ownId()
    if (id === undefined) return
    const done = await this.#request(() => this.#device.client.request(RecallMessage, { id }))
    if (done !== undefined) this.#device.surroundings.judge.recalled(id)
  }

  async #edit() {
    const id = this.#ownId()
    if (id === undefined) return
    const text = `edited ${this.#padding()}`
    const done = await this.#request(() => this.#device.client.request(EditMessage, { id, text }))
    if (done !== undefined) this.#device.surroundings.judge.edited(id, text)
  }

  #ownId(): number | undefined {
    const { ids } = this.#own
    return ids.length === 0 ? undefined : this.#device.surroundings.loop.random.pick(ids)
  }

  async #schedule() {
    const { loop, judge } = this.#device.surroundings
    // Each with a lane of its own: they may be sent in any order.
    const text = `${this.#name}-later-${this.#own.scheduled.length + 1} 1`
    // Either makes it one, however often it is asked for.
    const [clientId, options] = loop.random.chance(0.5) ? [text, {}] : ['', { key: text }]
    const delay = Math.ceil(loop.random.between(1, 5000))
    const where = loop.random.chance(0.5) ? { to: loop.random.pick(this.#others) } : this.#group()
    judge.ledger.attempt(text)
    this.#own.scheduled.push(text)
    const done = await this.#request(() =>
      this.#device.client.request(ScheduleMessage, { ...where, text, delay, clientId }, options),
    )
    if (done !== undefined) judge.scheduled(text, loop.now + delay)
  }
}

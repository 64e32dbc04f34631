import type { LoggedMessage } from '../../endurance/history.ts'
import { KEPT, Ledger } from '../../endurance/ledger.ts'
import type { Crowd } from './crowd.ts'
import type { Device } from './device.ts'
import type { LogCopy } from './log-copy.ts'

/** Compares what users have seen with what the log says. */
export class Judge {
  readonly #crowd: Crowd
  readonly #log: LogCopy
  /** Time after which something counts as lost, in milliseconds: the machine may be busy. */
  lostMs = 60_000
  #positions = new Map<string, number>()
  /** The last place in each group. */
  readonly #places = new Map<number, number>()
  readonly totals = { messages: 0, deliveries: 0, acknowledged: 0, scheduled: 0, 'stored, not acknowledged': 0 }

  constructor(crowd: Crowd, log: LogCopy) {
    this.#crowd = crowd
    this.#log = log
  }

  /** Milliseconds until everything that is acknowledged by now is delivered. */
  delivered(): Promise<number> {
    return this.#caughtUp(() => this.#crowd.notes.ledger.lastId)
  }

  /** While nobody acts: compares everything since the last time. */
  async check() {
    const { breaches, notes } = this.#crowd
    // What was scheduled may still come.
    await this.#caughtUp(() => this.#log.head)
    for (const { who, message } of this.#missing(this.#log.head))
      breaches.add(
        `${who} was never pushed ${message.id}, "${message.text}" to ${message.isGroup ? 'group ' : ''}${message.targetId}`,
      )
    this.#checkHeard()
    this.#checkLog()
    this.#checkLedger(notes.ledger)
    await this.#checkPositions()
    await this.#checkUnread()
    this.totals.messages += this.#log.messages.size
    notes.ledger = new Ledger()
    for (const device of this.#crowd.all) device.forget(this.#log.head)
    this.#log.forget()
  }

  /** Milliseconds until everything up to a number is read from the log and delivered. */
  #caughtUp(upTo: () => number): Promise<number> {
    return this.#crowd.until(async () => {
      try {
        await this.#log.read()
      } catch {
        // No server of the database answers yet.
        return false
      }
      return this.#log.head >= upTo() && this.#missing(upTo()).length === 0
    }, this.lostMs)
  }

  /** Milliseconds until all nodes report the same users as online, who are. */
  async presence(names: readonly string[]): Promise<number> {
    const expected = String([...names].sort())
    let online: string[] = []
    const took = await this.#crowd.until(async () => {
      online = await this.#crowd.online()
      return online.every((list) => list === expected)
    }, this.lostMs)
    const wrong = online.filter((list) => list !== expected)
    if (wrong.length > 0) this.#crowd.breaches.add(`nodes report as online: ${wrong.join('; ')}`)
    return took
  }

  /** What was scheduled is sent, or refused. */
  async checkScheduled() {
    const { breaches, notes } = this.#crowd
    const open = async () =>
      this.#log.ask("select count(*) as open from scheduled where state in ('waiting', 'sending')")
    await this.#crowd.until(async () => Number((await open())[0]?.open) === 0, this.lostMs)
    const rows = await this.#log.ask(
      `select s.client_id as text, s.state, s.message_id, (select count(*) from chatmsg m where m.user_id = s.user_id and m.msg = s.client_id) as stored
       from scheduled s`,
    )
    const byText = new Map(rows.map((row) => [String(row.text), row]))
    for (const [text, isAcknowledged] of notes.scheduled) {
      const row = byText.get(text)
      if (row === undefined) {
        if (isAcknowledged) breaches.add(`"${text}" was scheduled and is lost`)
        continue
      }
      this.totals.scheduled++
      const [state, stored] = [row.state, Number(row.stored)]
      if (state !== 'sent' && state !== 'failed') breaches.add(`"${text}" is ${state}`)
      if (stored !== (state === 'sent' ? 1 : 0)) breaches.add(`"${text}" is ${state}, and stored ${stored} times`)
    }
  }

  /** By user, the devices that hear for it. */
  #readers(): (readonly [string, readonly Device[]])[] {
    const { people, neighbours, robot } = this.#crowd
    return [
      ...people.map(({ name, devices }) => [name, devices] as const),
      ...[robot, ...neighbours.flatMap((both) => [both.watcher, both.dweller])].map(
        (device) => [device.settings.user, [device]] as const,
      ),
    ]
  }

  /** What users must have heard and have not, on any of their devices. */
  #missing(upTo: number): { who: string; message: LoggedMessage }[] {
    return this.#readers().flatMap(([who, devices]) =>
      this.#log
        .due(this.#log.userId(who), upTo)
        .filter(({ id }) => !devices.some(({ heard }) => heard.has(id)))
        .map((message) => ({ who, message })),
    )
  }

  #checkHeard() {
    for (const [who, devices] of this.#readers())
      for (const device of devices)
        for (const id of device.heard) {
          if (id > this.#log.head) continue
          this.totals.deliveries++
          const message = this.#log.messages.get(id)
          const userId = this.#log.userId(who)
          if (message === undefined)
            this.#crowd.breaches.add(`${device.settings.name} was pushed ${id}, which is not stored`)
          else if (message.senderId !== userId && !this.#log.isFor(userId, message))
            this.#crowd.breaches.add(`${device.settings.name} was pushed ${id}, which is for others`)
        }
  }

  /** Senders were allowed to write, numbers have no gaps, and places in groups ascend with them. */
  #checkLog() {
    const { breaches } = this.#crowd
    if (this.#log.missing !== 0) breaches.add(`${this.#log.missing} numbers of the log have no entry`)
    this.#log.missing = 0
    for (const { id, isGroup, senderId, targetId, seq } of this.#log.messages.values()) {
      if (isGroup && !this.#log.isMember(targetId, senderId, id)) breaches.add(`${id} is of no member of its group`)
      if (!isGroup && this.#log.isBlocked(targetId, senderId, id)) breaches.add(`${id} is from a blocked user`)
      if (!isGroup) continue
      const last = this.#places.get(targetId) ?? 0
      if (seq !== last + 1) breaches.add(`${id} has place ${seq} of its group, after ${last}`)
      this.#places.set(targetId, seq ?? 0)
    }
  }

  #checkLedger(ledger: Ledger) {
    const { breaches, notes } = this.#crowd
    ledger.find([...this.#log.messages.values()].filter(({ text }) => !notes.scheduled.has(text)))
    const figures = ledger.figures()
    for (const name of Object.keys(KEPT) as (keyof typeof KEPT)[])
      if (figures[name] !== 0) breaches.add(`messages ${name}: ${figures[name]}`)
    this.totals.acknowledged += figures.acknowledged
    this.totals['stored, not acknowledged'] += figures.stored - figures.acknowledged
  }

  async #checkPositions() {
    const { breaches } = this.#crowd
    const positions = await this.#log.positions()
    for (const [place, at] of this.#positions)
      if ((positions.get(place) ?? 0) < at) {
        // A member who has joined again has another place.
        if (place.includes(' in ') && !positions.has(place)) continue
        breaches.add(`read position ${place} went from ${at} to ${positions.get(place)}`)
      }
    this.#positions = positions
  }

  async #checkUnread() {
    for (const person of this.#crowd.people) {
      // Some devices still acknowledge what they heard last.
      let told = ''
      let counted = ''
      const agree = async () => {
        told = shown(await this.#crowd.unread(person))
        counted = shown(await this.#log.recount(this.#log.userId(person.name)))
        return told === counted
      }
      await this.#crowd.until(agree, this.lostMs)
      if (told !== counted)
        this.#crowd.breaches.add(`${person.name} is told ${told} unread, a recount gives ${counted}`)
    }
  }
}

const shown = (counts: ReadonlyMap<string, number>) =>
  [...counts]
    .map(([place, count]) => `${count} of ${place}`)
    .sort()
    .join(', ')

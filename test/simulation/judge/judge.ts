import type { LoggedMessage } from '../../support/endurance/history.ts'
import { KEPT, Ledger } from '../../support/endurance/ledger.ts'
import type { EventLoop } from '../machine/event-loop.ts'
import { HookJudge } from './hook-judge.ts'
import { LogReader } from './log-reader.ts'

/** A promise that the servers have broken. */
export class Broken extends Error {}

/** A message as it was pushed to a session. */
export interface Pushed {
  readonly id: number
  readonly from: string
  readonly group: string
  readonly text: string
}

/** Compares what users see with what the log says. Everything is checked when it happens, or at the end of the run. */
export class Judge {
  readonly log: LogReader
  readonly ledger = new Ledger()
  readonly hooks = new HookJudge(this)
  readonly users: ReadonlyMap<string, number>
  readonly #loop: EventLoop
  /** Scheduled messages that were acknowledged, with the time when they are due. */
  readonly #scheduled = new Map<string, number>()

  constructor(loop: EventLoop, file: string) {
    this.#loop = loop
    this.log = new LogReader(file)
    this.users = this.log.users()
  }

  /** Ends the run. */
  breach(what: string) {
    this.#loop.fail(new Broken(`${what}, at ${this.#loop.now.toFixed(1)} ms`))
  }

  userId(name: string): number {
    return this.users.get(name) ?? 0
  }

  /** A sender has the answer that its message is stored. */
  acknowledged(text: string, id: number) {
    this.#loop.trace.add(`acknowledged ${id}`)
    const stored = this.log.messages.get(id)
    if (stored === undefined) return this.breach(`"${short(text)}" was acknowledged as ${id} before its commit`)
    if (stored.text !== text)
      this.breach(`"${short(text)}" was acknowledged as ${id}, which is "${short(stored.text)}"`)
    this.ledger.acknowledge(text, id)
  }

  /** A sender has the answer that its message has another text. */
  edited(id: number, text: string) {
    const stored = this.log.messages.get(id)
    if (stored === undefined || !this.log.textsSince(stored, 0).includes(text))
      this.breach(`an edit of ${id} was acknowledged before its commit`)
  }

  /** A sender has the answer that its message is recalled. */
  recalled(id: number) {
    if (!this.log.isRecalled(id)) this.breach(`the recall of ${id} was acknowledged before its commit`)
  }

  scheduled(text: string, due: number) {
    this.#scheduled.set(text, due)
  }

  /** When the last scheduled message is due. */
  get lastDue(): number {
    return Math.max(0, ...this.#scheduled.values())
  }

  /**
   * Checks a push: committed, for this user, and as the log was when the session began or later.
   * @param since a number that the log had before the session began
   */
  pushed(user: string, { id, from, text }: Pushed, since: number) {
    const stored = this.log.messages.get(id)
    if (stored === undefined) return this.breach(`${user} was pushed ${id} before its commit`)
    const texts = this.log.textsSince(stored, since)
    if (!texts.includes(text))
      this.breach(`${user} was pushed ${id} as "${short(text)}", which is "${short(texts[0] ?? '')}"`)
    if (this.userId(from) !== stored.senderId) this.breach(`${user} was pushed ${id} as one from ${from}`)
    if (this.log.isRecalled(id, since)) this.breach(`${user} was pushed ${id}, which was recalled`)
    if (stored.senderId === this.userId(user)) return
    if (!this.isFor(user, stored)) this.breach(`${user} was pushed ${id}, which is for others`)
    if (stored.isGroup && !this.log.isMemberSince(stored.targetId, this.userId(user), id, since))
      this.breach(`${user} was pushed ${id} of a group that it had left`)
  }

  /** Whether a message was for a user when it was stored. */
  isFor(user: string, { id, targetId, isGroup, senderId }: LoggedMessage): boolean {
    const userId = this.userId(user)
    if (!isGroup) return targetId === userId
    return senderId !== userId && this.log.isMember(targetId, userId, id)
  }

  /** The messages that a user must have received by now, oldest first: those of a group only if still a member. */
  due(user: string, after = 0): LoggedMessage[] {
    const userId = this.userId(user)
    return [...this.log.messages.values()].filter((message) => {
      const { id, isGroup, targetId } = message
      if (id <= after || this.log.isRecalled(id) || !this.isFor(user, message)) return false
      return !isGroup || this.log.isMemberSince(targetId, userId, id)
    })
  }

  /** Checks the log: senders were allowed to write, all acknowledged messages are there once and in order. */
  checkLog() {
    for (const { id, isGroup, senderId, targetId } of this.log.messages.values()) {
      if (isGroup && !this.log.isMember(targetId, senderId, id)) this.breach(`${id} is of no member of its group`)
      if (!isGroup && this.log.isBlocked(targetId, senderId, id)) this.breach(`${id} is from a blocked user`)
    }
    this.ledger.find([...this.log.messages.values()])
    const figures = this.ledger.figures()
    for (const name of Object.keys(KEPT) as (keyof typeof KEPT)[])
      if (figures[name] !== 0) this.breach(`messages ${name}: ${figures[name]}`)
  }

  /** Checks what became of a user's scheduled messages. @param states by text, as the server lists them */
  checkScheduled(texts: readonly string[], states: ReadonlyMap<string, string>) {
    const stored = new Set([...this.log.messages.values()].map(({ text }) => text))
    for (const text of texts.filter((one) => this.#scheduled.has(one))) {
      const state = states.get(text)
      if (state === 'waiting') this.breach(`"${short(text)}" was scheduled and still waits`)
      if (state === undefined && !stored.has(text)) this.breach(`"${short(text)}" was scheduled and not sent`)
    }
  }

  /** Unread messages of a user, counted one by one: by kind and name, as contacts are listed. */
  recount(user: string): Map<string, number> {
    const userId = this.userId(user)
    const names = new Map([...this.users].map(([name, id]) => [id, name]))
    const groups = this.log.groups()
    return new Map([
      ...[...this.log.unreadFrom(userId)].map(([id, unread]) => [`1 ${names.get(id)}`, unread] as const),
      ...[...this.log.unreadIn(userId)].map(([id, unread]) => [`4 ${groups.get(id)}`, unread] as const),
    ])
  }

  /** Compares the counts that a server tells with a recount. @param told by kind and name, in one list or several */
  checkUnread(user: string, recount: ReadonlyMap<string, number>, told: readonly ReadonlyMap<string, number>[]) {
    for (const key of new Set([...recount.keys(), ...told.flatMap((list) => [...list.keys()])])) {
      const should = recount.get(key) ?? 0
      // Groups are in both lists, users in the first.
      for (const list of key.startsWith('4') ? told : told.slice(0, 1)) {
        const is = list.get(key) ?? 0
        if (is !== should) this.breach(`${user} is told ${is} unread of "${key}", a recount gives ${should}`)
      }
    }
  }

  /** The members of a user's groups, by group, ordered by name. */
  membersOf(user: string): Map<string, string[]> {
    const names = new Map([...this.users].map(([name, id]) => [id, name]))
    const groups = this.log.groups()
    const own = [...this.log.members()].filter(([, members]) => members.has(this.userId(user)))
    return new Map(
      own.map(([id, members]) => [groups.get(id) ?? '', [...members].map((member) => names.get(member) ?? '').sort()]),
    )
  }

  close() {
    this.log.close()
  }
}

/** Texts may be long: their beginning names them. */
export const short = (text: string) => text.slice(0, 40)

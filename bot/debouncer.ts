import type { ChatMessage } from '../client/index.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { EventWork } from './work.ts'

interface Group {
  readonly works: EventWork[]
  readonly lane: string
  timer: Timer
}

/** Collects messages that a user sends in quick succession, so that one run of a handler answers them all. */
export class Debouncer {
  readonly #clock: Clock
  readonly #ms: number
  readonly #ready: (lane: string, work: EventWork) => void
  /** By lane and sender. */
  readonly #groups = new Map<string, Group>()

  /** @param ready receives the last message, with the earlier ones, after `ms` without another */
  constructor(clock: Clock, ms: number, ready: (lane: string, work: EventWork) => void) {
    this.#clock = clock
    this.#ms = ms
    this.#ready = ready
  }

  add(lane: string, work: EventWork) {
    const key = `${lane} ${work.message.from}`
    const group = this.#groups.get(key)
    group?.timer.cancel()
    const timer = this.#clock.after(this.#ms, () => this.#release(key))
    if (group === undefined) this.#groups.set(key, { works: [work], lane, timer })
    else Object.assign(group, { timer }).works.push(work)
  }

  /** Another message of the chat comes: what was said before it is handled before it. */
  flush(lane: string) {
    for (const [key, group] of this.#groups) if (group.lane === lane) this.#release(key)
  }

  /** Takes a recalled message out. */
  remove(lane: string, id: number): EventWork | undefined {
    for (const [key, { works, lane: own, timer }] of this.#groups) {
      const index = own === lane ? works.findIndex(({ message }) => message.id === id) : -1
      if (index < 0) continue
      const [removed] = works.splice(index, 1)
      if (works.length === 0) {
        timer.cancel()
        this.#groups.delete(key)
      }
      return removed
    }
    return undefined
  }

  /** Drops everything: the messages come again at the next start. */
  stop() {
    for (const { timer } of this.#groups.values()) timer.cancel()
    this.#groups.clear()
  }

  #release(key: string) {
    const group = this.#groups.get(key)
    const last = group?.works.at(-1)
    if (group === undefined || last === undefined) return
    group.timer.cancel()
    this.#groups.delete(key)
    const earlier: ChatMessage[] = group.works.slice(0, -1).map(({ message }) => message)
    this.#ready(group.lane, { ...last, earlier })
  }
}

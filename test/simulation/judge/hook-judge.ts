import type { LoggedMessage } from '../../support/endurance/history.ts'
import type { PostedEvent } from '../world/receiver.ts'
import { type Judge, short } from './judge.ts'

/** Compares the events that hooks of users post with the log. */
export class HookJudge {
  readonly #judge: Judge
  /** Ids that were taken, by user. */
  readonly #taken = new Map<string, Set<number>>()
  /** The highest id that was taken, by user and conversation. */
  readonly #last = new Map<string, number>()

  constructor(judge: Judge) {
    this.#judge = judge
  }

  /** A user has a hook from now on. */
  added(user: string) {
    this.#taken.set(user, new Set())
  }

  /** An event was posted, and taken. One may come again; none may come later than the next one of its conversation. */
  posted(user: string, { id, from, group, text }: PostedEvent) {
    const { log } = this.#judge
    const stored = log.messages.get(id)
    if (stored === undefined) return this.#judge.breach(`the hook of ${user} posted ${id} before its commit`)
    if (!this.#judge.isFor(user, stored)) this.#judge.breach(`the hook of ${user} posted ${id}, which is for others`)
    if (!log.textsSince(stored, 0).includes(text))
      this.#judge.breach(`the hook of ${user} posted ${id} as "${short(text)}", which is "${short(stored.text)}"`)
    const taken = this.#taken.get(user)
    if (taken === undefined || taken.has(id)) return
    taken.add(id)
    const conversation = group === '' ? `${user} from ${from}` : `${user} in ${group}`
    const last = this.#last.get(conversation) ?? 0
    if (id < last) this.#judge.breach(`the hook of ${user} posted ${id} after ${last}`)
    this.#last.set(conversation, id)
  }

  /** The first message that a hook should have posted by now. */
  missing(user: string): LoggedMessage | undefined {
    const taken = this.#taken.get(user)
    return taken && this.#judge.due(user).find(({ id }) => !taken.has(id))
  }
}

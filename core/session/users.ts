import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FailureName, InputOf, ServerMessage } from '../wire/index.ts'
import { Push } from './push.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Sessions that get an announcement in one turn of the event loop. */
const SESSIONS_PER_TURN = 200

export interface SendOptions {
  /** A session that gets nothing, such as the one whose request is answered. */
  readonly except?: Session | undefined
  /** Skips sessions under back-pressure: for news that the client also reads at its next login. */
  readonly droppable?: boolean
}

/** Users as recipients of pushes. */
export class Users {
  readonly #sessions: Sessions

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  /** Pushes to every session of some users, before it returns. The message is encoded once. */
  send<M extends ServerMessage>(ids: Iterable<number>, message: M, values: InputOf<M>, options: SendOptions = {}) {
    const push = new Push(message, values)
    for (const id of ids) this.#push(id, push, options)
  }

  /** Pushes to every session of every user who is online. */
  sendToAll<M extends ServerMessage>(message: M, values: InputOf<M>, options: SendOptions = {}) {
    this.send(this.#sessions.userIds(), message, values, options)
  }

  /**
   * Pushes to many users, with a turn of the event loop for others now and then, and skips sessions under back-pressure.
   * @param isRecipient asked of each user just before the push
   * @returns the number of sessions that got it
   */
  async announce<M extends ServerMessage>(
    ids: Iterable<number>,
    message: M,
    values: InputOf<M>,
    isRecipient: (userId: number) => boolean = () => true,
  ): Promise<number> {
    const push = new Push(message, values)
    let pushed = 0
    let turns = 1
    for (const id of ids) {
      if (!isRecipient(id)) continue
      pushed += this.#push(id, push, { droppable: true })
      if (pushed < turns * SESSIONS_PER_TURN) continue
      turns++
      await nextTurn()
    }
    return pushed
  }

  /** Closes the sessions of a user; returns how many were open. */
  close(id: number, reason: FailureName, { except }: { readonly except?: number | undefined } = {}): number {
    // A copy: closing may take a session out of the set.
    const open = [...this.#sessions.of(id)].filter((session) => session.open && session.id !== except)
    for (const session of open) session.close(reason)
    return open.length
  }

  #push(id: number, push: Push, { except, droppable = false }: SendOptions): number {
    let pushed = 0
    for (const session of this.#sessions.of(id)) {
      if (session === except || (droppable && !session.writable)) continue
      session.push(push)
      pushed++
    }
    return pushed
  }
}

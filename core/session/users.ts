import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FailureName, InputOf, ServerMessage } from '../wire/index.ts'
import { Push } from './push.ts'
import type { Relay } from './relay.ts'
import type { Session, UserSession } from './session.ts'
import type { Sessions } from './sessions.ts'

/** Sessions that get an announcement in one turn of the event loop. */
const SESSIONS_PER_TURN = 200

export interface SendOptions {
  /** A session that gets nothing, such as the one whose request is answered. */
  readonly except?: Session | undefined
  /** Skips sessions under back-pressure: for news that the client also reads at its next login. */
  readonly droppable?: boolean
}

export interface AnnounceOptions {
  /** Only sessions of this node: for news that every node announces to its own. */
  readonly isLocal?: boolean
}

/** Result of closing the sessions of a user. */
export interface Closed {
  /** How many were open. */
  readonly sessions: number
  /** Nodes that did not answer: they may have more. */
  readonly silent: readonly number[]
}

/** Users as recipients of pushes. A push to a session on another node may be lost, and has no order with others. */
export class Users {
  readonly #sessions: Sessions
  readonly #relay: Relay | undefined

  /** @param relay the way to sessions on other nodes, if there are any */
  constructor(sessions: Sessions, relay?: Relay) {
    this.#sessions = sessions
    this.#relay = relay
    relay?.serve({
      pushed: (ids, push, options) => {
        for (const id of ids ?? sessions.userIds()) this.#push(id, push, options)
      },
      closed: (id, reason) => this.#close(id, reason),
    })
  }

  /** Pushes to every session of some users; on this node before it returns. The message is encoded once. */
  send<M extends ServerMessage>(ids: Iterable<number>, message: M, values: InputOf<M>, options: SendOptions = {}) {
    const push = new Push(message, values)
    const elsewhere = this.#relay?.recipients()
    for (const id of ids) {
      this.#push(id, push, options)
      elsewhere?.add(id)
    }
    elsewhere?.send(push, options.droppable === true)
  }

  /** Pushes to every session of every user who is online. */
  sendToAll<M extends ServerMessage>(message: M, values: InputOf<M>, options: SendOptions = {}) {
    const push = new Push(message, values)
    for (const id of this.#sessions.userIds()) this.#push(id, push, options)
    this.#relay?.sendToAll(push, options.droppable === true)
  }

  /**
   * Pushes to many users, with a turn of the event loop for others now and then, and skips sessions under back-pressure.
   * @param isRecipient asked of each user just before the push
   * @returns the number of sessions of this node that got it
   */
  async announce<M extends ServerMessage>(
    ids: Iterable<number>,
    message: M,
    values: InputOf<M>,
    isRecipient: (userId: number) => boolean = () => true,
    { isLocal = false }: AnnounceOptions = {},
  ): Promise<number> {
    const push = new Push(message, values)
    const elsewhere = isLocal ? undefined : this.#relay?.recipients()
    let pushed = 0
    let turns = 1
    for (const id of ids) {
      if (!isRecipient(id)) continue
      elsewhere?.add(id)
      pushed += this.#push(id, push, { droppable: true })
      if (pushed < turns * SESSIONS_PER_TURN) continue
      turns++
      await nextTurn()
    }
    elsewhere?.send(push, true)
    return pushed
  }

  /** Closes the sessions of a user on every node; on this one before it returns. */
  async close(id: number, reason: FailureName): Promise<Closed> {
    const here = this.#close(id, reason)
    if (this.#relay === undefined) return { sessions: here, silent: [] }
    const { answers, silent } = await this.#relay.close(id, reason)
    return { sessions: [...answers.values()].reduce((sum, sessions) => sum + sessions, here), silent }
  }

  /** Closes sessions of a user on this node; returns how many were open. */
  closeHere(id: number, reason: FailureName, isMeant: (session: UserSession) => boolean): number {
    // A copy: closing may take a session out of the set.
    const open = [...this.#sessions.of(id)].filter((session) => session.open && isMeant(session))
    for (const session of open) session.close(reason)
    return open.length
  }

  #close(id: number, reason: FailureName): number {
    return this.closeHere(id, reason, () => true)
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

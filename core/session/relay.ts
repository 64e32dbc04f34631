import type { Logger } from 'pino'
import type { Answers, Cluster } from '../cluster/cluster.ts'
import { type Catalogue, decode, type FailureName, MessageSplitter, type ServerMessage } from '../wire/index.ts'
import { Push } from './push.ts'
import type { RemoteUsers } from './remote-users.ts'

/** Users named in one relayed push. */
const MAX_USERS = 10_000
/** Another node has checked the message when it encoded it. */
const MAX = Number.MAX_SAFE_INTEGER
const UNLIMITED = { message: MAX, format: MAX, values: MAX }

/** A push to sessions of another node. */
interface Relayed {
  /** All users of the node if left out. */
  readonly users?: readonly number[]
  /** Base64 of the encoded message. */
  readonly bytes: string
  readonly droppable: boolean
}

interface CloseRequest {
  readonly user: number
  readonly reason: FailureName
}

/** What a node does for another one. */
export interface RelayTarget {
  /** Pushes to sessions of this node. @param ids undefined for all users */
  pushed(ids: readonly number[] | undefined, push: Push, options: { readonly droppable: boolean }): void
  /** Closes the user's sessions on this node; returns how many were open. */
  closed(userId: number, reason: FailureName): number
}

export interface RelayParts {
  readonly cluster: Cluster
  readonly users: RemoteUsers
  readonly catalogue: Catalogue
  readonly log: Logger
}

/** Pushes to sessions on other nodes. They may be lost: what must arrive is in the log, or read at the next login. */
export class Relay {
  readonly #parts: RelayParts
  #target: RelayTarget | undefined

  constructor(parts: RelayParts) {
    this.#parts = parts
  }

  /** Sets the sessions that other nodes reach by this one. */
  serve(target: RelayTarget) {
    this.#target = target
  }

  /** Hears the other nodes. Returns a function that ends it. */
  start(): () => void {
    const { cluster } = this.#parts
    const relayed = (payload: unknown) => this.#received(payload as Relayed)
    const ends = [
      cluster.hear('tell', relayed),
      cluster.hear(topicOf(cluster.node), relayed),
      cluster.answer('close', (request) => {
        const { user, reason } = request as CloseRequest
        return this.#target?.closed(user, reason)
      }),
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  /** Recipients of a push, by their nodes. */
  recipients(): Recipients {
    return new Recipients(this.#parts)
  }

  /** Pushes to every user of the other nodes. */
  sendToAll(push: Push, droppable: boolean) {
    const payload: Relayed = { bytes: push.bytes.toString('base64'), droppable }
    this.#parts.cluster.say('tell', payload)
  }

  /** Closes the user's sessions on the other nodes; answers with their numbers. */
  close(user: number, reason: FailureName): Promise<Answers<number>> {
    const request: CloseRequest = { user, reason }
    return this.#parts.cluster.ask('close', request)
  }

  #received({ users, bytes, droppable }: Relayed) {
    try {
      const push = this.#decode(Buffer.from(bytes, 'base64'))
      if (push !== undefined) this.#target?.pushed(users, push, { droppable })
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'cannot push a message of another node')
    }
  }

  /** Undefined for a message of a plugin that this node does not have. @throws WireError */
  #decode(bytes: Buffer): Push | undefined {
    const [frame] = new MessageSplitter(UNLIMITED).push(bytes)
    const message = frame && this.#parts.catalogue.byType(frame.type)
    if (frame === undefined || message?.from !== 'server') return undefined
    return new Push(message as ServerMessage, decode(message as ServerMessage, frame, MAX).values, bytes)
  }
}

/** Recipients of one push who have sessions on other nodes. */
export class Recipients {
  readonly #parts: RelayParts
  readonly #byNode = new Map<number, number[]>()

  constructor(parts: RelayParts) {
    this.#parts = parts
  }

  add(userId: number) {
    for (const node of this.#parts.users.nodesOf(userId)) {
      const users = this.#byNode.get(node)
      if (users === undefined) this.#byNode.set(node, [userId])
      else users.push(userId)
    }
  }

  send(push: Push, droppable: boolean) {
    if (this.#byNode.size === 0) return
    const bytes = push.bytes.toString('base64')
    for (const [node, users] of this.#byNode)
      for (let at = 0; at < users.length; at += MAX_USERS) {
        const payload: Relayed = { users: users.slice(at, at + MAX_USERS), bytes, droppable }
        this.#parts.cluster.say(topicOf(node), payload)
      }
  }
}

const topicOf = (node: number) => `tell.${node}`

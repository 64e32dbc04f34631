import { TokenBucket } from '../../core/flow/token-bucket.ts'
import {
  type ClientMessage,
  type Clock,
  Closing,
  Done,
  FAILURE_MESSAGES,
  type InputOf,
  type Message,
  type Session,
} from '../../core/index.ts'
import type { Tapped } from './messages.ts'
import { shown } from './shown.ts'

type Values = Readonly<Record<string, unknown>>

export interface Filter {
  /** Name as the account has it; empty for all. */
  readonly user: string
  /** Name of the message; empty for all. */
  readonly type: string
  /** Name of the group, in lower case; empty for all. */
  readonly group: string
  readonly texts: boolean
}

interface Told {
  readonly session: Session
  readonly message: Message
  readonly values: Values
  readonly matches: boolean
}

const FAILURES: readonly Message[] = [...FAILURE_MESSAGES, Closing]

/** Takes the records of a tap. */
export interface TapOutput {
  /** False while records are to be dropped and counted. */
  isReady(): boolean
  show(record: InputOf<typeof Tapped>): void
}

export interface TapParts {
  readonly output: TapOutput
  readonly clock: Clock
  readonly perSecond: number
  /** Id of this node in a cluster; 0 without other nodes. */
  readonly node: number
  /** The operator's, whose messages are not shown; undefined for an operator on another node. */
  readonly session: Session | undefined
}

/** One operator's view of the messages of a node's sessions. Records beyond its rate are dropped and counted. */
export class Tap {
  readonly #session: Session | undefined
  readonly #output: TapOutput
  readonly #node: number
  readonly #filter: Filter
  readonly #clock: Clock
  readonly #rate: TokenBucket
  #dropped = 0
  /** A reply is emitted before its request: it waits for the request until the end of the turn, to be shown after it. */
  #reply: Told | undefined

  constructor(filter: Filter, { output, clock, perSecond, node, session }: TapParts) {
    this.#session = session
    this.#output = output
    this.#node = node
    this.#filter = filter
    this.#clock = clock
    this.#rate = new TokenBucket(perSecond, perSecond, clock.now())
  }

  /** Whether it needs the events of a message type: the group of a reply is known by its request. */
  needs(message: Message): boolean {
    if (this.#isOfType(message)) return true
    return this.#filter.group !== '' && message.from === 'client' && this.#isOfType(message.reply ?? Done)
  }

  /** A request was handled. */
  in(session: Session, message: ClientMessage, values: Values) {
    if (!this.#isOf(session)) return
    const reply = this.#reply
    const isAnswered = reply?.session === session && reply.message === (message.reply ?? Done)
    if (!isAnswered) this.#release()
    this.#reply = undefined
    const matches = this.#isOfGroup(values)
    if (matches) this.#tell('in', session, message, values)
    if (isAnswered && (matches || reply.matches)) this.#tell('out', session, reply.message, reply.values)
  }

  /** A session was sent a reply, a failure or a push. */
  out(session: Session, message: Message, values: Values) {
    if (!this.#isOf(session)) return
    this.#release()
    this.#reply = { session, message, values, matches: this.#isOfGroup(values) }
    queueMicrotask(() => this.#release())
  }

  #release() {
    const reply = this.#reply
    this.#reply = undefined
    if (reply?.matches) this.#tell('out', reply.session, reply.message, reply.values)
  }

  #isOf(session: Session): boolean {
    return session !== this.#session && (this.#filter.user === '' || session.user?.name === this.#filter.user)
  }

  #isOfType({ name }: Message): boolean {
    return this.#filter.type === '' || this.#filter.type === name
  }

  #isOfGroup(values: Values): boolean {
    if (this.#filter.group === '') return true
    const lists = Object.values(values).filter((value): value is Values[] => Array.isArray(value))
    return [values, ...lists.flat()].some(
      ({ group }) => typeof group === 'string' && group.toLowerCase() === this.#filter.group,
    )
  }

  #mayTell(): boolean {
    if (this.#rate.take(this.#clock.now()) === 0) return true
    this.#rate.giveBack()
    return false
  }

  #tell(direction: 'in' | 'out', session: Session, message: Message, values: Values) {
    if (!this.#isOfType(message)) return
    if (!this.#output.isReady() || !this.#mayTell()) {
      this.#dropped++
      return
    }
    const dropped = this.#dropped
    this.#dropped = 0
    this.#output.show({
      at: this.#clock.time(),
      direction,
      session: session.id,
      user: session.user?.name ?? '',
      name: message.name,
      values: shown(message, values, this.#filter.texts),
      outcome: FAILURES.includes(message) ? String(values.name) : 'ok',
      dropped,
      node: this.#node,
    })
  }
}

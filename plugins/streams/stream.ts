import { newClientId, type Timer, type User, type UserSession } from '../../core/index.ts'
import { GrowingText } from './growing-text.ts'
import { StreamView, type ViewParts } from './stream-view.ts'
import type { Target } from './targets.ts'

export interface NewStream {
  readonly target: Target
  /** Empty: it cannot be resumed. */
  readonly clientId: string
  readonly hops: number
  readonly replyTo: number
}

let lastId = 0

/** Also for streams of other nodes, whose numbers may be the same. */
export const nextStreamId = () => ++lastId

/** A message that grows. */
export class Stream {
  readonly id = nextStreamId()
  readonly user: User
  readonly target: Target
  readonly clientId: string
  readonly hops: number
  readonly replyTo: number
  /** Client id of the interrupted message: the whole one may still be sent under `clientId`. */
  readonly interruptedId = newClientId()
  readonly text = new GrowingText()
  readonly view: StreamView
  /** Session of the sender; undefined after its end. */
  session: UserSession | undefined
  /** Set while its message is being stored; never rejects. */
  closing: Promise<unknown> | undefined
  isOver = false
  /** Ends the stream at its longest time. */
  deadline: Timer | undefined
  /** Ends the stream after its session. */
  grace: Timer | undefined

  constructor(user: User, { target, clientId, hops, replyTo }: NewStream, view: ViewParts) {
    this.user = user
    this.target = target
    this.clientId = clientId || newClientId()
    this.hops = hops
    this.replyTo = replyTo
    this.view = new StreamView(view, this)
  }
}

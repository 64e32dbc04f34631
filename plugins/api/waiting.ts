import {
  type App,
  type FailureName,
  type Push,
  Refused,
  type Transport,
  type TransportSession,
  type ValuesOf,
} from '../../core/index.ts'
import { OnNewMessage } from '../messages/messages.ts'
import { Consuming, type ConsumingParts, placeOf } from './consuming.ts'
import { conversationOf, isWithin } from './event-text.ts'
import type { Exchange, Operation } from './operation.ts'
import { sendJson } from './problems.ts'

const [DEFAULT_SECONDS, MAX_SECONDS] = [45, 60]
/** The answer comes before Node takes the connection for dead. */
const GRACE_MS = 10_000

type ReceivedMessage = ValuesOf<typeof OnNewMessage>['messages'][number]

/** Takes the first messages of a session. */
class WaitingTransport implements Transport {
  /** Never full: what came is answered at once. */
  readonly queued = 0
  readonly result: Promise<readonly ReceivedMessage[]>
  readonly #isVisible: (message: ReceivedMessage) => boolean
  readonly #acknowledge: (ids: readonly number[]) => void
  #resolve: (messages: readonly ReceivedMessage[]) => void = () => {}
  #session: TransportSession | undefined

  constructor(isVisible: (message: ReceivedMessage) => boolean, acknowledge: (ids: readonly number[]) => void) {
    this.#isVisible = isVisible
    this.#acknowledge = acknowledge
    this.result = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  start(session: TransportSession) {
    this.#session = session
  }

  push({ message, values }: Push) {
    if (message.name !== OnNewMessage.name) return
    const { messages } = values as ValuesOf<typeof OnNewMessage>
    const visible = messages.filter((one) => this.#isVisible(one))
    const others = messages.filter((one) => !visible.includes(one))
    if (others.length > 0) this.#acknowledge(others.map(({ id }) => id))
    if (visible.length > 0) this.#resolve(visible)
  }

  /** A server that stops does not wait for messages. */
  hold() {
    this.finish()
  }

  finish() {
    this.#resolve([])
  }

  end(_reason: FailureName) {
    this.finish()
    this.#session?.gone()
  }
}

/** The next messages of a consumer, for shells: one request waits for them. */
export function waitingOperation(parts: ConsumingParts, failed: (error: unknown) => void): Operation {
  const consuming = new Consuming(parts)

  const run = async (exchange: Exchange) => {
    const { request, response, access } = exchange
    const place = placeOf(exchange)
    const seconds = secondsOf(request.query.get('seconds'))
    const { user, token } = access
    const acknowledge = (ids: readonly number[]) => parts.consumers.acknowledge(user.id, place.consumer, ids)
    const { receivedTo = 0 } = place
    const transport = new WaitingTransport(
      (one) => one.id > receivedTo && isWithin(token, conversationOf(one)),
      (ids) => void acknowledge(ids).catch(failed),
    )
    const session = parts.app.admit(transport, request.address)
    if (session === undefined) throw new Refused('unavailable', 'the server is full or stops', { retryAfter: 1000 })
    try {
      await consuming.enter(session, exchange)
      await consuming.begin(session, user.id, place)
      const messages = await firstMessages(parts.app, exchange, transport, seconds * 1000)
      if (messages.length === 0) return void response.writeHead(204).end()
      // Handed to the system; the reader that wants more certainty says `ack=later` and `after` next time.
      if (request.query.get('ack') !== 'later')
        response.once('finish', () => void acknowledge(messages.map(({ id }) => id)).catch(failed))
      sendJson(response, 200, { messages })
    } finally {
      session.close('logged_out')
    }
  }
  return { method: 'GET', path: '/wait', scope: 'read', run }
}

/** Messages, or none after a time, and when the reader has gone. */
async function firstMessages(app: App, { request, response }: Exchange, transport: WaitingTransport, ms: number) {
  response.setTimeout(ms + GRACE_MS)
  const timer = app.clock.after(ms, () => transport.finish()).unref()
  const stop = () => transport.finish()
  request.signal.addEventListener('abort', stop)
  try {
    return await transport.result
  } finally {
    timer.cancel()
    request.signal.removeEventListener('abort', stop)
  }
}

/** @throws Refused `invalid_value` */
function secondsOf(text: string | null): number {
  const seconds = text === null ? DEFAULT_SECONDS : Number(text)
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_SECONDS) return seconds
  throw new Refused('invalid_value', `seconds is a number from 1 to ${MAX_SECONDS}`)
}

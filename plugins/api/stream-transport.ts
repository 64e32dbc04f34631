import type { ServerResponse } from 'node:http'
import type { FailureName, Limits, Push, Transport, TransportSession } from '../../core/index.ts'
import { ConsumerTaken } from '../consumers/messages.ts'
import { eventsOf, eventText, type StreamEvent } from './event-text.ts'

/** Milliseconds after which a reader connects again. */
const RETRY_MS = 2000
/** The same where the stream ends so that the reader's next request acknowledges. */
const ACKNOWLEDGING_RETRY_MS = 50
/** Silence after which a comment shows that the connection lives; below the idle limits of proxies. */
const HEARTBEAT_MS = 15_000

const HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  // nginx would collect events in a buffer.
  'X-Accel-Buffering': 'no',
}

export interface StreamOptions {
  readonly limits: Limits
  /** Events that are pushed and not acknowledged, at most. */
  readonly window: number
  /** Acknowledges each event when it is sent. */
  readonly acknowledgesSent: boolean
  /** Whether the token reaches what an event is about. */
  isVisible(event: StreamEvent): boolean
  acknowledge(ids: readonly number[]): void
}

/** Pushes of a session as server-sent events. What one turn of the event loop brings is written at once. */
export class StreamTransport implements Transport {
  readonly #response: ServerResponse
  readonly #options: StreamOptions
  #session: TransportSession | undefined
  #pending = ''
  /** Ids to acknowledge with the next write. */
  #done: number[] = []
  readonly #unacknowledged = new Set<number>()
  #hasAcknowledged = false
  #receivedTo = 0
  #isOpen = false
  #isFlushing = false
  /** The clock's time at the last look. */
  #now = 0
  #writtenAt = 0
  #stalledSince: number | undefined

  constructor(response: ServerResponse, options: StreamOptions) {
    this.#response = response
    this.#options = options
  }

  get queued(): number {
    return this.#pending.length + this.#response.writableLength
  }

  start(session: TransportSession) {
    this.#session = session
    this.#response.on('drain', () => session.drained())
    this.#response.once('close', () => session.gone())
  }

  /** Ids up to this one were received before: they are acknowledged, and not sent. */
  skipTo(id: number) {
    this.#receivedTo = id
  }

  /** Sends the head of the response and the first events. */
  open(...events: readonly string[]) {
    // The body ends with the connection: no frames of chunks around each event.
    this.#response.shouldKeepAlive = false
    this.#response.useChunkedEncodingByDefault = false
    this.#response.writeHead(200, HEADERS)
    this.#isOpen = true
    const before = this.#pending
    this.#pending = ''
    this.#queue(`retry: ${RETRY_MS}\n\n${events.join('')}${before}`)
  }

  push(push: Push) {
    for (const event of eventsOf(push)) this.#send(event)
    if (push.message === ConsumerTaken) this.#session?.close('logged_out')
  }

  #send(event: StreamEvent) {
    const { isVisible, acknowledgesSent } = this.#options
    const { id } = event
    const isSent = (id === undefined || id > this.#receivedTo) && isVisible(event)
    if (id !== undefined) {
      if (isSent && !acknowledgesSent) this.#unacknowledged.add(id)
      else this.#done.push(id)
    }
    // Also without text: what is not sent is acknowledged at the flush.
    this.#queue(isSent ? event.text : '')
  }

  #queue(text: string) {
    this.#pending += text
    // A session has pushes, such as of groups, before its consumer is found.
    if (this.#isFlushing || !this.#isOpen) return
    this.#isFlushing = true
    setImmediate(() => this.#flush())
  }

  #flush() {
    this.#isFlushing = false
    const text = this.#pending
    this.#pending = ''
    if (!this.#response.writable) return
    if (text !== '') {
      this.#writtenAt = this.#now
      // Otherwise `drain` follows.
      if (this.#response.write(text)) this.#session?.drained()
    }
    const done = this.#done
    this.#done = []
    if (done.length > 0) this.#options.acknowledge(done)
    if (this.#unacknowledged.size >= this.#options.window && !this.#hasAcknowledged) this.#endForAcknowledgement()
  }

  /** A reader that only reads acknowledges with `Last-Event-ID`, when it connects again. */
  #endForAcknowledgement() {
    this.#response.end(`retry: ${ACKNOWLEDGING_RETRY_MS}\n: connect again with Last-Event-ID\n\n`)
  }

  /** Ids that were sent, up to one, which the reader has acknowledged. */
  acknowledged(upTo: number): number[] {
    this.#hasAcknowledged = true
    const ids = [...this.#unacknowledged].filter((id) => id <= upTo)
    for (const id of ids) this.#unacknowledged.delete(id)
    return ids
  }

  end(reason: FailureName) {
    if (!this.#isOpen) return this.#session?.gone()
    if (this.#response.writable) this.#response.end(this.#pending + eventText('closed', { reason }))
    this.#pending = ''
  }

  watch(now: number) {
    this.#now = now
    if (this.#response.writableNeedDrain) this.#stalledSince ??= now
    else this.#stalledSince = undefined
    const { outboundStall } = this.#options.limits
    if (this.#stalledSince !== undefined && now - this.#stalledSince > outboundStall) this.#response.destroy()
    else if (now - this.#writtenAt >= HEARTBEAT_MS && this.#isOpen && this.#response.writable) {
      this.#writtenAt = now
      this.#response.write(': \n\n')
    }
  }
}

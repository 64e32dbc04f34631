import { EventEmitter } from 'node:events'
import type { RequestOptions } from 'node:http'
import { Readable } from 'node:stream'
import type { EventLoop, Process } from '../machine/event-loop.ts'

/** Delay in one direction, in milliseconds. */
const LATENCY_MS = [0.3, 50] as const
/** Share of the events whose first request fails. */
const SHARE_OF_FAILURES = 0.1

/** An event as it was posted. */
export interface PostedEvent {
  readonly id: number
  readonly from: string
  readonly group: string
  readonly text: string
}

/** The web server to which hooks post, in place of `node:http`. It fails for an event once at most: servers pause for long then. */
export class Receiver {
  readonly loop: EventLoop
  readonly process: Process
  /** Called for each event that it takes, with the path of the URL. */
  onPosted: (path: string, event: PostedEvent) => void = () => {}
  readonly #tried = new Set<string>()

  constructor(loop: EventLoop) {
    this.loop = loop
    this.process = loop.process('receiver')
  }

  /** As `request` of `node:http`. */
  readonly request = (url: URL, { signal }: RequestOptions) => new SimulatedRequest(this, url, signal)

  /** @returns the status of the answer; undefined for none */
  answer(path: string, body: string): number | undefined {
    const { random } = this.loop
    const event: PostedEvent = JSON.parse(body).data
    const attempt = `${path} ${event.id}`
    const isFirst = !this.#tried.has(attempt)
    this.#tried.add(attempt)
    if (isFirst && random.chance(SHARE_OF_FAILURES)) return random.pick([500, undefined])
    this.loop.trace.add(`${path} was posted ${event.id}`)
    this.onPosted(path, event)
    return 204
  }
}

/** A request as the hooks use it. */
class SimulatedRequest extends EventEmitter {
  readonly #receiver: Receiver
  readonly #path: string
  readonly #process: Process
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = () => this.destroy(new Error('The operation was aborted'))
  #isOver = false

  constructor(receiver: Receiver, { pathname }: URL, signal: AbortSignal | undefined) {
    super()
    this.#receiver = receiver
    this.#path = pathname
    this.#process = receiver.loop.current
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort)
  }

  end(body: string) {
    const { loop, process } = this.#receiver
    loop.after(process, loop.random.between(...LATENCY_MS), () => {
      const status = this.#receiver.answer(this.#path, body)
      if (status !== undefined)
        loop.after(this.#process, loop.random.between(...LATENCY_MS), () => this.#answered(status))
    })
  }

  destroy(error?: Error) {
    if (this.#isOver) return
    this.#isOver = true
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (error !== undefined) this.#receiver.loop.post(this.#process, () => this.emit('error', error))
  }

  #answered(statusCode: number) {
    if (this.#isOver) return
    this.emit('response', Object.assign(Readable.from([]), { statusCode, headers: {} }))
  }
}

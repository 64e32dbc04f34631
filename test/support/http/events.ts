import { type IncomingMessage, request } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'

export interface ReceivedEvent {
  readonly id: string | undefined
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects
  readonly data: any
}

export interface ReaderOptions {
  readonly token: string
  readonly headers?: Record<string, string>
}

/** A reader of server-sent events, with a parser that is not ours. */
export class EventReader {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Comments, which keep the connection open. */
  readonly comments: string[] = []
  readonly #response: IncomingMessage
  readonly #received: ReceivedEvent[] = []
  #wake: () => void = () => {}
  #isOver = false
  retry: number | undefined

  private constructor(response: IncomingMessage) {
    this.#response = response
    this.status = response.statusCode ?? 0
    this.headers = response.headers
    const parser = createParser({
      onEvent: ({ id, event = 'message', data }: EventSourceMessage) => {
        this.#received.push({ id, event, data: JSON.parse(data) })
        this.#wake()
      },
      onRetry: (retry) => {
        this.retry = retry
      },
      onComment: (comment) => this.comments.push(comment),
    })
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => parser.feed(chunk))
    const over = () => {
      this.#isOver = true
      this.#wake()
    }
    response.once('end', over).once('close', over).on('error', over)
  }

  /** @throws the error of the connection */
  static async open(url: string, path: string, { token, headers = {} }: ReaderOptions): Promise<EventReader> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(
        url + path,
        { agent: false, headers: { Authorization: `Bearer ${token}`, ...headers } },
        resolve,
      )
      sent.once('error', reject)
      sent.end()
    })
    return new EventReader(response)
  }

  /** The next event; undefined when the stream has ended. */
  async next(): Promise<ReceivedEvent | undefined> {
    for (;;) {
      const event = this.#received.shift()
      if (event !== undefined || this.#isOver) return event
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** The next events, by their texts. */
  async texts(count: number): Promise<string[]> {
    const texts: string[] = []
    while (texts.length < count) {
      const event = await this.next()
      if (event === undefined) throw new Error(`the stream has ended after ${texts.length} of ${count} events`)
      if (event.event === 'message') texts.push(event.data.text)
    }
    return texts
  }

  /** Resolves with the events that were not taken when the stream ends. */
  async end(): Promise<ReceivedEvent[]> {
    const rest: ReceivedEvent[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) rest.push(event)
    return rest
  }

  close() {
    this.#response.destroy()
  }
}

import { Buffer } from '#platform/runtime'
import type { ValuesOf } from '../core/wire/index.ts'
import { StreamChanged, StreamClosed, StreamOpened } from '../plugins/streams/messages.ts'
import type { Session } from './session.ts'

/** A message of another session that grows. */
export interface GrowingMessage {
  /** Number of the stream. */
  readonly stream: number
  readonly from: string
  /** The recipient of a private message. */
  readonly to?: string
  /** The group of a group message. */
  readonly group?: string
  readonly hops: number
  readonly replyTo?: number
  /** The text so far. */
  readonly text: string
  readonly isOver: boolean
  /** Id of the message that it has become, which is delivered as any other. */
  readonly id?: number
}

/** Collects the pushes of streams, and calls a listener with each change. */
export class IncomingStreams {
  readonly #open = new Map<number, { readonly facts: Omit<GrowingMessage, 'text' | 'isOver'>; bytes: Buffer }>()
  readonly #listener: (message: GrowingMessage) => void
  readonly #offs: readonly (() => void)[]

  constructor(session: Pick<Session, 'on' | 'onLife'>, listener: (message: GrowingMessage) => void) {
    this.#listener = listener
    this.#offs = [
      session.on(StreamOpened, (opened) => this.#opened(opened)),
      session.on(StreamChanged, (changed) => this.#changed(changed)),
      session.on(StreamClosed, ({ stream, id }) => this.#end(stream, id)),
      session.onLife('disconnected', () => this.#endAll()),
    ]
  }

  stop() {
    for (const off of this.#offs) off()
    this.#open.clear()
  }

  #opened({ stream, from, to, group, hops, replyTo }: ValuesOf<typeof StreamOpened>) {
    const facts = { stream, from, ...(group ? { group } : { to }), hops, ...(replyTo > 0 && { replyTo }) }
    this.#open.set(stream, { facts, bytes: Buffer.alloc(0) })
    this.#listener({ ...facts, text: '', isOver: false })
  }

  #changed({ stream, at, text }: ValuesOf<typeof StreamChanged>) {
    const open = this.#open.get(stream)
    if (open === undefined) return
    open.bytes = Buffer.concat([open.bytes.subarray(0, at), Buffer.from(text)])
    this.#listener({ ...open.facts, text: open.bytes.toString(), isOver: false })
  }

  #end(stream: number, id: number) {
    const open = this.#open.get(stream)
    if (open === undefined) return
    this.#open.delete(stream)
    this.#listener({ ...open.facts, text: open.bytes.toString(), isOver: true, ...(id > 0 && { id }) })
  }

  #endAll() {
    for (const stream of [...this.#open.keys()]) this.#end(stream, 0)
  }
}

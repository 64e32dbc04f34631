import type { App } from '../../core/index.ts'
import { StreamEnded, type StreamKey, type StreamUpdate, StreamUpdated, StreamWanted } from './events.ts'
import { GrowingText } from './growing-text.ts'
import { nextStreamId } from './stream.ts'
import { StreamView, type ViewParts } from './stream-view.ts'
import type { Targets } from './targets.ts'

/** A stream that was not told again for so long has ended, unheard. */
const SILENCE_MS = 15_000
const LOOK_MS = 5000

interface ForeignStream {
  readonly text: GrowingText
  readonly view: StreamView
  heardAt: number
  /** Number of the next update. */
  next: number
}

export interface ForeignStreamsParts extends Omit<ViewParts, 'onRefused'> {
  readonly app: App
  readonly targets: Targets
  /** Bytes of a text at most. */
  readonly maxText: number
}

const nameOf = ({ node, id }: StreamKey) => `${node} ${id}`

/** The streams of other nodes, for the followers on this one. */
export class ForeignStreams {
  readonly #parts: ForeignStreamsParts
  readonly #byName = new Map<string, ForeignStream>()

  constructor(parts: ForeignStreamsParts) {
    this.#parts = parts
    const { app } = parts
    app.on(StreamUpdated, (update) => {
      if (update.node !== app.cluster.node) this.#updated(update)
    })
    app.on(StreamEnded, (ended) => this.#end(nameOf(ended), ended.messageId))
    app.every(LOOK_MS, () => {
      const since = app.clock.now() - SILENCE_MS
      for (const [name, { heardAt }] of this.#byName) if (heardAt < since) this.#end(name, 0)
    })
    app.onStop(() => {
      for (const name of [...this.#byName.keys()]) this.#end(name, 0)
    })
  }

  #updated(update: StreamUpdate) {
    const { app, maxText } = this.#parts
    const { node, id, number, at, text } = update
    const stream = this.#byName.get(nameOf(update)) ?? this.#add(update)
    stream.heardAt = app.clock.now()
    // An update from the beginning makes up for lost ones.
    if (at > 0 && number !== stream.next) return app.share(StreamWanted, { node, id })
    stream.next = number + 1
    if (at === stream.text.length && text === '') return stream.view.refresh()
    stream.text.put(at, text, maxText)
    stream.view.changed(at)
  }

  #add(update: StreamUpdate): ForeignStream {
    const { app, targets, followers, clock, log, pause } = this.#parts
    const { user, to, group, hops, replyTo } = update
    const name = nameOf(update)
    const text = new GrowingText()
    const target = { to, group, readers: () => targets.readersOf(user, { to, group }) }
    const view = new StreamView(
      { followers, clock, log, pause, onRefused: () => this.#end(name, 0) },
      { id: nextStreamId(), user, target, hops, replyTo, text, session: undefined },
    )
    const stream = { text, view, heardAt: app.clock.now(), next: 1 }
    this.#byName.set(name, stream)
    return stream
  }

  #end(name: string, messageId: number) {
    this.#byName.get(name)?.view.end(messageId)
    this.#byName.delete(name)
  }
}

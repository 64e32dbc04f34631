import type { App, InputOf, Session } from '../../core/index.ts'
import { Tapped } from './messages.ts'
import type { Filter, TapOutput } from './tap.ts'

/** How often a tap is announced again: to nodes that have started since, or were not reached. */
const ANNOUNCE_MS = 5000
/** A tap that was not announced for so long has ended, unheard. */
const SILENCE_MS = 15_000

type TappedRecord = InputOf<typeof Tapped>

/** Tells the other nodes of a tap; without a filter, of its end. */
interface Announcement {
  readonly id: number
  readonly filter?: Filter
}

interface Shown {
  readonly id: number
  readonly record: TappedRecord
}

interface OwnTap {
  readonly filter: Filter
  readonly output: TapOutput
}

interface ForeignTap {
  heardAt: number
  readonly end: () => void
}

/** Starts a tap of the sessions of this node; returns a function that ends it. */
export type StartTap = (filter: Filter, output: TapOutput) => () => void

const topicOf = (node: number) => `tapped.${node}`

/** Taps over all nodes: each node shows the messages of its sessions to the node of the operator. */
export class RemoteTaps {
  readonly #app: App
  readonly #start: StartTap
  /** Taps of this node's operators. */
  readonly #own = new Map<number, OwnTap>()
  /** Taps of operators on other nodes, by node and id. */
  readonly #foreign = new Map<string, ForeignTap>()
  #lastId = 0

  constructor(app: App, start: StartTap) {
    this.#app = app
    this.#start = start
    const { cluster } = app
    app.onStop(cluster.hear('tap', (announcement, from) => this.#heard(announcement as Announcement, from)))
    app.onStop(
      cluster.hear(topicOf(cluster.node), (payload) => {
        const { id, record } = payload as Shown
        this.#own.get(id)?.output.show(record)
      }),
    )
    app.every(ANNOUNCE_MS, () => {
      for (const [id, { filter }] of this.#own) this.#announce({ id, filter })
      this.#endSilent()
    })
  }

  /** Begins a tap on the other nodes; returns a function that ends it. */
  begin(filter: Filter, output: TapOutput): () => void {
    const id = ++this.#lastId
    this.#own.set(id, { filter, output })
    this.#announce({ id, filter })
    return () => {
      this.#own.delete(id)
      this.#announce({ id })
    }
  }

  #announce(announcement: Announcement) {
    this.#app.cluster.say('tap', announcement)
  }

  #heard({ id, filter }: Announcement, from: number) {
    const key = `${from} ${id}`
    const heardAt = this.#app.clock.now()
    const known = this.#foreign.get(key)
    if (filter === undefined) this.#end(key)
    else if (known !== undefined) known.heardAt = heardAt
    else {
      const show = (record: TappedRecord) => {
        const shown: Shown = { id, record }
        this.#app.cluster.say(topicOf(from), shown)
      }
      this.#foreign.set(key, { heardAt, end: this.#start(filter, { isReady: () => true, show }) })
    }
  }

  #end(key: string) {
    this.#foreign.get(key)?.end()
    this.#foreign.delete(key)
  }

  #endSilent() {
    const since = this.#app.clock.now() - SILENCE_MS
    for (const [key, { heardAt }] of this.#foreign) if (heardAt < since) this.#end(key)
  }
}

/** What an operator's session is shown: of its own node and, while it keeps up, of others. */
export class SessionOutput implements TapOutput {
  readonly #session: Session
  #dropped = 0

  constructor(session: Session) {
    this.#session = session
  }

  isReady(): boolean {
    return this.#session.writable
  }

  show(record: TappedRecord) {
    if (!this.isReady()) {
      this.#dropped += record.dropped + 1
      return
    }
    const dropped = record.dropped + this.#dropped
    this.#dropped = 0
    this.#session.send(Tapped, { ...record, dropped })
  }
}

interface Queue<W> {
  readonly waiting: W[]
  isBusy: boolean
  /** How many reasons there are not to begin anything. */
  holds: number
}

/**
 * Work in the order it came within each chat, for some chats at once. Nothing bounds what waits: whoever pushes takes
 * care of that.
 */
export class ChatQueues<W> {
  readonly #chats = new Map<string, Queue<W>>()
  readonly #work: (work: W) => Promise<void>
  readonly #passesHolds: (work: W) => boolean
  readonly #whenIdle: (() => void)[] = []
  readonly #turns: (() => void)[] = []
  /** Work under way that has given up its place. */
  readonly #placeless = new Set<W>()
  #free: number
  #busy = 0
  #isStopped = false

  /**
   * @param work must not reject
   * @param passesHolds whether a piece of work that is next begins although its chat is held
   */
  constructor(concurrency: number, work: (work: W) => Promise<void>, passesHolds: (work: W) => boolean = () => false) {
    this.#free = concurrency
    this.#work = work
    this.#passesHolds = passesHolds
  }

  push(chat: string, work: W) {
    const queue = this.#queue(chat)
    queue.waiting.push(work)
    this.#wake(chat, queue)
  }

  /** Takes the first piece of work that fits out of those of the chat that wait. */
  withdraw(chat: string, fits: (work: W) => boolean): W | undefined {
    const waiting = this.#chats.get(chat)?.waiting ?? []
    const index = waiting.findIndex(fits)
    return index < 0 ? undefined : waiting.splice(index, 1)[0]
  }

  /** Begins nothing in that chat until what is returned is called. */
  hold(chat: string): () => void {
    const queue = this.#queue(chat)
    queue.holds++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      queue.holds--
      this.#wake(chat, queue)
    }
  }

  /** Lets another chat have the place of one whose work only waits. It stays busy. */
  async yieldDuring<T>(work: W, waiting: Promise<T>): Promise<T> {
    if (this.#placeless.has(work)) return waiting
    this.#giveTurn()
    try {
      return await waiting
    } finally {
      await this.#takeTurn()
    }
  }

  /** Lets another chat have the place of one whose work takes too long, for good. It stays busy. */
  goOnBeside(work: W) {
    if (this.#placeless.has(work)) return
    this.#placeless.add(work)
    this.#giveTurn()
  }

  /** Begins nothing more; resolves when what is under way has ended. */
  stop(): Promise<void> {
    this.#isStopped = true
    if (this.#busy === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  #queue(chat: string): Queue<W> {
    const queue = this.#chats.get(chat) ?? { waiting: [], isBusy: false, holds: 0 }
    this.#chats.set(chat, queue)
    return queue
  }

  #wake(chat: string, queue: Queue<W>) {
    if (queue.isBusy) return
    if (queue.waiting.length === 0 && queue.holds === 0) this.#chats.delete(chat)
    else if (!this.#isStopped && this.#mayBegin(queue)) void this.#run(chat, queue)
  }

  #mayBegin({ waiting: [next], holds }: Queue<W>): boolean {
    return next !== undefined && (holds === 0 || this.#passesHolds(next))
  }

  async #run(chat: string, queue: Queue<W>) {
    queue.isBusy = true
    this.#busy++
    await this.#takeTurn()
    // It may have been withdrawn, held or stopped while the chat waited for its turn.
    const work = !this.#isStopped && this.#mayBegin(queue) ? queue.waiting.shift() : undefined
    if (work !== undefined) await this.#work(work)
    if (work === undefined || !this.#placeless.delete(work)) this.#giveTurn()
    queue.isBusy = false
    this.#busy--
    if (this.#busy === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    this.#wake(chat, queue)
  }

  #takeTurn(): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#turns.push(resolve))
  }

  #giveTurn() {
    const next = this.#turns.shift()
    if (next === undefined) this.#free++
    else next()
  }
}

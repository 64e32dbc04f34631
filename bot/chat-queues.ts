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
  readonly #whenIdle: (() => void)[] = []
  readonly #turns: (() => void)[] = []
  #free: number
  #busy = 0
  #isStopped = false

  /** @param work must not reject */
  constructor(concurrency: number, work: (work: W) => Promise<void>) {
    this.#free = concurrency
    this.#work = work
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
  async yieldDuring<T>(waiting: Promise<T>): Promise<T> {
    this.#giveTurn()
    try {
      return await waiting
    } finally {
      await this.#takeTurn()
    }
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
    if (queue.isBusy || queue.holds > 0) return
    if (queue.waiting.length === 0) this.#chats.delete(chat)
    else if (!this.#isStopped) void this.#run(chat, queue)
  }

  async #run(chat: string, queue: Queue<W>) {
    queue.isBusy = true
    this.#busy++
    await this.#takeTurn()
    // It may have been withdrawn, held or stopped while the chat waited for its turn.
    const work = this.#isStopped || queue.holds > 0 ? undefined : queue.waiting.shift()
    if (work !== undefined) await this.#work(work)
    this.#giveTurn()
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

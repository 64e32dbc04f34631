interface Queue<W> {
  readonly waiting: W[]
  isBusy: boolean
  /** Holds in force; while there are any, no work starts. */
  holds: number
}

/** One FIFO queue per chat; up to `concurrency` chats run at once. Queue length is not bounded here: see `EventProcessor`. */
export class ChatQueues<W> {
  readonly #chats = new Map<string, Queue<W>>()
  readonly #run: (work: W) => Promise<void>
  readonly #ignoresHolds: (work: W) => boolean
  readonly #whenIdle: (() => void)[] = []
  /** Chats waiting for a slot, oldest first. */
  readonly #slotWaiters: (() => void)[] = []
  /** Running work that has released its slot for good. */
  readonly #slotless = new Set<W>()
  #freeSlots: number
  #busyChats = 0
  #isStopped = false

  /**
   * @param run must not reject
   * @param ignoresHolds whether work at the head of its queue starts although the chat is held
   */
  constructor(concurrency: number, run: (work: W) => Promise<void>, ignoresHolds: (work: W) => boolean = () => false) {
    this.#freeSlots = concurrency
    this.#run = run
    this.#ignoresHolds = ignoresHolds
  }

  push(chat: string, work: W) {
    const queue = this.#queue(chat)
    queue.waiting.push(work)
    this.#startNext(chat, queue)
  }

  /** Removes the first matching work from the chat's queue and returns it. */
  withdraw(chat: string, matches: (work: W) => boolean): W | undefined {
    const waiting = this.#chats.get(chat)?.waiting ?? []
    const index = waiting.findIndex(matches)
    return index < 0 ? undefined : waiting.splice(index, 1)[0]
  }

  /** Starts no work in that chat until the returned function is called. */
  hold(chat: string): () => void {
    const queue = this.#queue(chat)
    queue.holds++
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      queue.holds--
      this.#startNext(chat, queue)
    }
  }

  /** Releases the slot of running work while it waits, and acquires one again. Its chat stays busy. */
  async yieldDuring<T>(work: W, waiting: Promise<T>): Promise<T> {
    if (this.#slotless.has(work)) return waiting
    this.#releaseSlot()
    try {
      return await waiting
    } finally {
      await this.#acquireSlot()
    }
  }

  /** Releases the slot of slow work for good. Its chat stays busy. */
  releaseSlot(work: W) {
    if (this.#slotless.has(work)) return
    this.#slotless.add(work)
    this.#releaseSlot()
  }

  /** Starts no more work; resolves when running work has ended. */
  stop(): Promise<void> {
    this.#isStopped = true
    if (this.#busyChats === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  #queue(chat: string): Queue<W> {
    const queue = this.#chats.get(chat) ?? { waiting: [], isBusy: false, holds: 0 }
    this.#chats.set(chat, queue)
    return queue
  }

  #startNext(chat: string, queue: Queue<W>) {
    if (queue.isBusy) return
    if (queue.waiting.length === 0 && queue.holds === 0) this.#chats.delete(chat)
    else if (!this.#isStopped && this.#mayStart(queue)) void this.#runNext(chat, queue)
  }

  #mayStart({ waiting: [next], holds }: Queue<W>): boolean {
    return next !== undefined && (holds === 0 || this.#ignoresHolds(next))
  }

  async #runNext(chat: string, queue: Queue<W>) {
    queue.isBusy = true
    this.#busyChats++
    await this.#acquireSlot()
    // The work may have been withdrawn, its chat held or the bot stopped in the meantime.
    const work = !this.#isStopped && this.#mayStart(queue) ? queue.waiting.shift() : undefined
    if (work !== undefined) await this.#run(work)
    if (work === undefined || !this.#slotless.delete(work)) this.#releaseSlot()
    queue.isBusy = false
    this.#busyChats--
    if (this.#busyChats === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    this.#startNext(chat, queue)
  }

  #acquireSlot(): Promise<void> {
    if (this.#freeSlots > 0) {
      this.#freeSlots--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#slotWaiters.push(resolve))
  }

  #releaseSlot() {
    const next = this.#slotWaiters.shift()
    if (next === undefined) this.#freeSlots++
    else next()
  }
}

import type { Process } from './event-loop.ts'

/** A timer of a run, as the functions of Node return it. */
export class SimulatedTimer {
  readonly process: Process
  at = 0
  order = 0
  isPending = false
  readonly #queue: TimerQueue
  readonly #task: () => void

  constructor(queue: TimerQueue, process: Process, task: () => void) {
    this.#queue = queue
    this.process = process
    this.#task = task
  }

  /** Runs the task unless the timer was cancelled after it became due. */
  readonly fire = () => {
    if (!this.isPending) return
    this.isPending = false
    this.#task()
  }

  cancel() {
    this.isPending = false
    this.#queue.forget()
  }

  ref() {
    return this
  }

  unref() {
    return this
  }
}

/** Timers in the order of their times, as a binary heap. Cancelled ones stay until their time or until they are many. */
export class TimerQueue {
  #heap: SimulatedTimer[] = []
  #order = 0
  #cancelled = 0

  add(timer: SimulatedTimer, at: number) {
    timer.at = at
    timer.order = this.#order++
    timer.isPending = true
    this.#heap.push(timer)
    this.#rise(this.#heap.length - 1)
  }

  /** A timer was cancelled. */
  forget() {
    if (++this.#cancelled < 1000 || this.#cancelled < this.#heap.length / 2) return
    this.#cancelled = 0
    // A sorted list is a heap.
    this.#heap = this.#heap.filter(({ isPending, process }) => isPending && !process.isDead).sort(inOrder)
  }

  /** Takes the first timer; it has to be fired. */
  take(): SimulatedTimer | undefined {
    for (;;) {
      const [first] = this.#heap
      if (first === undefined) return undefined
      const last = this.#heap.pop() as SimulatedTimer
      if (this.#heap.length > 0) {
        this.#heap[0] = last
        this.#sink()
      }
      if (first.isPending && !first.process.isDead) return first
    }
  }

  /** The same if it is due at that time. */
  takeAt(at: number): SimulatedTimer | undefined {
    return this.#heap[0] !== undefined && this.#heap[0].at <= at ? this.take() : undefined
  }

  #rise(from: number) {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfBefore(at, parent)) return
      at = parent
    }
  }

  #sink() {
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      if (left >= this.#heap.length) return
      const right = left + 1
      const [one, other] = [this.#heap[left] as SimulatedTimer, this.#heap[right]]
      const child = other !== undefined && inOrder(other, one) < 0 ? right : left
      if (!this.#swapIfBefore(child, at)) return
      at = child
    }
  }

  #swapIfBefore(child: number, parent: number): boolean {
    const [below, above] = [this.#heap[child] as SimulatedTimer, this.#heap[parent] as SimulatedTimer]
    if (inOrder(below, above) >= 0) return false
    this.#heap[parent] = below
    this.#heap[child] = above
    return true
  }
}

const inOrder = (one: SimulatedTimer, other: SimulatedTimer) => one.at - other.at || one.order - other.order

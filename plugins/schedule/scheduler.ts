import type { Logger } from 'pino'
import type { Clock, Timer } from '../../core/index.ts'
import type { ScheduledRow } from '../../db/index.ts'

/** Longest timer: the time of day may be set, or the machine may sleep, without a timer noticing. */
const MAX_TIMER_MS = 5000
/** Pause after a failure of the database. */
const RETRY_MS = 5000

export interface SchedulerParts {
  readonly clock: Clock
  readonly log: Logger
  /** Whether other nodes send messages too. */
  readonly isShared: boolean
  /** Makes messages wait again whose sending was interrupted by a failure or the end of a server. */
  resume(): Promise<void>
  /** When the next message is due; undefined if none waits. */
  next(): Promise<number | undefined>
  /** Takes the message that was due first, if there is one. */
  take(): Promise<ScheduledRow | undefined>
  /** Sends a message and stores the outcome; rejects when that cannot be stored. */
  send(row: ScheduledRow): Promise<void>
}

/** Sends messages when they are due, one after the other, with one timer for the next one. */
export class Scheduler {
  readonly #parts: SchedulerParts
  #timer: Timer | undefined
  #work: Promise<void> | undefined
  #again = false
  /** Messages may have been taken whose outcome is not stored. */
  #isInterrupted = true
  #stopped = false

  constructor(parts: SchedulerParts) {
    this.#parts = parts
  }

  /** A message may be due now, or earlier than the next one known. */
  wake() {
    if (this.#stopped) return
    this.#again = true
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined
      if (this.#again) this.wake()
    })
  }

  /** Stops sending; resolves when the outcome of the message in flight is stored. */
  async stop() {
    this.#stopped = true
    this.#again = false
    this.#timer?.cancel()
    await this.#work
  }

  async #run() {
    const { clock, log, isShared, resume, next } = this.#parts
    let dueAt: number | undefined
    this.#timer?.cancel()
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false
        if (this.#isInterrupted || isShared) await resume()
        this.#isInterrupted = false
        await this.#sendDue()
        dueAt = await next()
      }
    } catch (error) {
      log.warn({ err: error }, 'cannot send scheduled messages')
      this.#isInterrupted = true
      this.#again = false
      if (!this.#stopped) this.#timer = clock.after(RETRY_MS, () => this.wake()).unref()
    }
    if (dueAt !== undefined) this.#wakeAt(dueAt)
  }

  /** Reads the clock every few seconds, and the database only when the time has come. */
  #wakeAt(time: number) {
    if (this.#stopped) return
    const { clock } = this.#parts
    const wait = Math.max(1, Math.min(time - clock.time(), MAX_TIMER_MS))
    const check = () => (clock.time() >= time ? this.wake() : this.#wakeAt(time))
    this.#timer = clock.after(wait, check).unref()
  }

  async #sendDue() {
    const { take, send } = this.#parts
    while (!this.#stopped) {
      const row = await take()
      if (row === undefined) return
      await send(row)
    }
  }
}

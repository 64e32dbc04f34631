import type { Logger } from 'pino'
import type { Clock, Timer } from '../../core/index.ts'
import type { ScheduledRow } from '../../db/index.ts'

/** Longest alarm: the time of day may be set, or the machine sleep, and no timer notices. */
const LOOK_MS = 5000
/** Pause after the database failed. */
const RETRY_MS = 5000

export interface SenderParts {
  readonly clock: Clock
  readonly log: Logger
  /** Makes what was being sent when it failed, or the server ended, wait again. */
  resume(): Promise<void>
  /** When the next message is due; undefined when none waits. */
  next(): Promise<number | undefined>
  /** Takes the message that has been due for the longest, if there is one. */
  take(): Promise<ScheduledRow | undefined>
  /** Sends it and notes what became of it; rejects when that could not be noted. */
  send(row: ScheduledRow): Promise<void>
}

/** Sends messages when they are due, one after the other, with one alarm for the next of them. */
export class Sender {
  readonly #parts: SenderParts
  #alarm: Timer | undefined
  #work: Promise<void> | undefined
  #again = false
  /** Something may have been taken of which nobody knows what became. */
  #unsure = true
  #stopped = false

  constructor(parts: SenderParts) {
    this.#parts = parts
  }

  /** Something may be due, or due earlier than what was to come next. */
  wake() {
    if (this.#stopped) return
    this.#again = true
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined
      if (this.#again) this.wake()
    })
  }

  /** Sends nothing more; resolves when what is under way is noted. */
  async stop() {
    this.#stopped = true
    this.#again = false
    this.#alarm?.cancel()
    await this.#work
  }

  async #run() {
    const { clock, log, resume, next } = this.#parts
    let dueAt: number | undefined
    this.#alarm?.cancel()
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false
        if (this.#unsure) await resume()
        this.#unsure = false
        await this.#sendDue()
        dueAt = await next()
      }
    } catch (error) {
      log.warn({ err: error }, 'cannot send scheduled messages')
      this.#unsure = true
      this.#again = false
      if (!this.#stopped) this.#alarm = clock.after(RETRY_MS, () => this.wake()).unref()
    }
    if (dueAt !== undefined) this.#wakeAt(dueAt)
  }

  /** Looks at the clock every few seconds, and asks the database only when it is time. */
  #wakeAt(time: number) {
    if (this.#stopped) return
    const { clock } = this.#parts
    const wait = Math.max(1, Math.min(time - clock.time(), LOOK_MS))
    const look = () => (clock.time() >= time ? this.wake() : this.#wakeAt(time))
    this.#alarm = clock.after(wait, look).unref()
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

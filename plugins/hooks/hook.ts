import type { Timer } from '../../core/index.ts'
import {
  deleteHookAttempt,
  type HookChange,
  type HookRow,
  isUnavailable,
  saveHookAttempt,
  updateHook,
} from '../../db/index.ts'
import { DeadLetters } from './dead-letters.ts'
import { deliver, type Outcome, readEvents } from './delivery.ts'
import { HookAttempted } from './events.ts'
import { Intake } from './intake.ts'
import { tellDisabled, tellGivenUp } from './notices.ts'
import { type Entry, Outbox } from './outbox.ts'
import type { Parts } from './parts.ts'
import { MAX_FAILING_MS, pauseAfter } from './retries.ts'
import { Saver } from './saver.ts'
import { opened, type Secrets, sealed } from './signature.ts'

/** Pause after an error of this server's own, such as a database that is down. */
const RETRY_MS = 5000
/** Longest wait of a timer: the clock may be set. */
const MAX_WAIT_MS = 60_000

interface Options {
  /** Number of its dead letters. */
  readonly dead: number
  /** Called when another node has taken it. */
  readonly onLost: (hook: Hook) => void
}

/** One outgoing webhook at work: a durable cursor in its user's messages, and what was taken and is not delivered. */
export class Hook {
  readonly row: Omit<HookRow, 'secrets' | 'position' | 'pending' | 'failing_since' | 'disabled'>
  readonly dead: DeadLetters
  readonly #parts: Parts
  readonly #onLost: (hook: Hook) => void
  readonly #outbox: Outbox
  readonly #intake: Intake
  readonly #saver = new Saver(() => this.#write())
  readonly #attempting = new Set<Promise<void>>()
  #secrets: Secrets | undefined
  #filling: Promise<void> | undefined
  #timer: Timer | undefined
  #retry: Timer | undefined
  #isStopped = false
  #failingSince: number
  #disabled: string
  #reason = ''

  constructor(
    parts: Parts,
    { secrets, position, pending, failing_since, disabled, ...row }: HookRow,
    options: Options,
  ) {
    this.#parts = parts
    this.#onLost = options.onLost
    this.row = row
    this.dead = new DeadLetters(parts, row.id, options.dead)
    this.#outbox = new Outbox(position)
    this.#intake = new Intake(parts, { ...row, pending }, this.#outbox)
    this.#failingSince = failing_since
    this.#disabled = disabled
    try {
      this.#secrets = opened(secrets, parts.key)
    } catch (error) {
      parts.log.warn({ err: error, hook: row.id }, 'cannot decrypt the secrets of a hook')
      this.#disabled ||= 'its secret was encrypted by another server: rotate it, then enable it'
    }
  }

  /** Requests under way. */
  get running(): number {
    return this.#attempting.size
  }

  get pending(): number {
    return this.#intake.pending.length
  }

  /** `reason` says why it is disabled, or why the last attempt failed. */
  get state() {
    const state = this.#failingSince > 0 ? ('failing' as const) : ('ok' as const)
    if (this.#disabled !== '')
      return { state: 'disabled' as const, reason: this.#disabled, failingSince: this.#failingSince }
    return { state, reason: this.#reason, failingSince: this.#failingSince }
  }

  get secrets(): Secrets | undefined {
    return this.#secrets
  }

  get #isOn(): boolean {
    return !this.#isStopped && this.#disabled === ''
  }

  /** There may be new events. */
  wake() {
    this.#intake.notify()
    if (!this.#isOn || !this.#intake.hasRoom) return
    this.#filling ??= this.#fill().then(
      () => {
        this.#filling = undefined
        // Notified after the last look.
        if (this.#intake.hasRoom) this.wake()
      },
      (error: unknown) => {
        this.#filling = undefined
        this.#retryLater(error)
      },
    )
  }

  /** Ends the attempts; resolves when nothing of it runs any more, and rejects if its state is not stored. */
  async stop() {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#retry?.cancel()
    await Promise.all([...this.#attempting, this.#filling])
    if (this.#saver.isUnsaved) await this.#saver.save()
  }

  /** Ends deliveries until `enable`; resolves when that is stored. */
  async disable(reason: string) {
    this.#disabled = reason
    this.#timer?.cancel()
    await this.#saver.save()
  }

  /** Continues where it was disabled; resolves when that is stored. */
  async enable() {
    if (this.#disabled === '') return
    this.#outbox.hurry(this.#parts.app.clock.time())
    this.#disabled = ''
    this.#failingSince = 0
    await this.#saver.save()
    this.#start()
    this.wake()
  }

  async setSecrets(secrets: Secrets) {
    await this.#update({ secrets: sealed(secrets, this.#parts.key) })
    this.#secrets = secrets
  }

  /** Attempts events again that were given up. @param id of one; 0 for all @returns how many there were */
  async redeliver(id: number): Promise<number> {
    await this.#intake.load()
    const ids = await this.dead.ids(id)
    const dueAt = this.#parts.app.clock.time()
    for (const { message, conversation } of await readEvents(this.#parts, this.row.user_id, ids))
      this.#outbox.add({ id: message.id, conversation, attempts: 0, dueAt })
    // First pending, then dead no more: cut short in between, they are dead still.
    await this.#saver.save()
    await this.dead.remove(ids)
    this.#start()
    return ids.length
  }

  /** Takes events from the database as long as there is room. */
  async #fill() {
    while (this.#isOn && this.#intake.hasRoom) {
      if (await this.#intake.take()) this.#saveLater()
      this.#start()
    }
  }

  /** Begins the attempts that are due, and waits for the next one. */
  #start() {
    const { clock } = this.#parts.app
    this.#timer?.cancel()
    if (!this.#isOn) return
    for (let entry = this.#outbox.next(clock.time()); entry !== undefined; entry = this.#outbox.next(clock.time()))
      this.#begin(entry)
    const { dueAt } = this.#outbox
    if (dueAt === undefined) return
    const wait = Math.max(1, Math.min(dueAt - clock.time(), MAX_WAIT_MS))
    this.#timer = clock.after(wait, () => this.#start()).unref()
  }

  #begin(entry: Entry) {
    const attempt = this.#parts.requests
      .run(String(this.row.id), () => this.#attempt(entry))
      .catch((error: unknown) => this.#retryLater(error))
      .finally(() => this.#attempting.delete(attempt))
    this.#attempting.add(attempt)
  }

  async #attempt(entry: Entry) {
    const secrets = this.#secrets
    if (!this.#isOn || secrets === undefined) return this.#outbox.putBack(entry)
    const { id, user_id: userId, url, isReply } = this.row
    const outcome = await deliver(this.#parts, { id, userId, url, secrets, isReply: isReply === 1 }, entry.id)
    // Stopped or disabled meanwhile: the event is pending, and attempted again.
    if (!this.#isOn) return this.#outbox.putBack(entry)
    try {
      const settled = await this.#settle(entry, outcome)
      this.#parts.attempts.of(settled).add()
      this.#parts.app.emit(HookAttempted, { hook: id, id: entry.id, outcome: settled })
    } finally {
      this.#outbox.putBack(entry)
    }
    this.#start()
    this.wake()
  }

  async #settle(entry: Entry, outcome: Outcome) {
    const now = this.#parts.app.clock.time()
    switch (outcome.kind) {
      case 'delivered':
      case 'dropped':
        await this.#finish(entry)
        return outcome.kind
      case 'postponed':
        entry.dueAt = now + RETRY_MS
        return 'postponed'
      case 'gone':
        return this.#giveUp(entry, 'it answered 410 Gone')
      case 'ownerless':
        return this.#giveUp(entry, 'the account of its user is disabled')
      case 'failed':
        return this.#failed(entry, outcome.reason, now)
    }
  }

  async #finish(entry: Entry) {
    this.#outbox.remove(entry)
    this.#saveLater()
    if (this.#failingSince > 0) {
      this.#failingSince = 0
      this.#reason = ''
      // It is back: what waits need not wait longer.
      this.#outbox.hurry(this.#parts.app.clock.time())
    }
    if (entry.attempts > 0) await deleteHookAttempt(this.#parts.db, this.row.id, entry.id)
  }

  async #failed(entry: Entry, reason: string, now: number) {
    const { db, log } = this.#parts
    const { id } = this.row
    this.#reason = reason
    this.#failingSince ||= now
    // A delivery of another conversation may reset it while this failure is being stored.
    const failingSince = this.#failingSince
    entry.attempts++
    const pause = pauseAfter(entry.attempts)
    log.info({ hook: id, event: entry.id, attempts: entry.attempts, reason }, 'a hook has failed')
    entry.dueAt = now + (pause ?? RETRY_MS)
    const attempt = { hook_id: id, message_id: entry.id, attempts: entry.attempts, failed_at: now, reason }
    if (pause === undefined) {
      await tellGivenUp(this.#parts, this.row, failingSince)
      await this.dead.add({ ...attempt, next_at: 0 })
      this.#outbox.remove(entry)
    } else await saveHookAttempt(db, { ...attempt, next_at: entry.dueAt })
    this.#saveLater()
    if (now - failingSince >= MAX_FAILING_MS) return this.#giveUp(entry, 'it has failed for five days')
    return pause === undefined ? 'dead' : 'failed'
  }

  async #giveUp(entry: Entry, reason: string) {
    this.#parts.log.warn({ hook: this.row.id, reason }, 'a hook is disabled')
    await tellDisabled(this.#parts, this.row, { reason, event: entry.id })
    await this.disable(reason)
    return 'disabled' as const
  }

  #saveLater() {
    this.#saver.save().catch((error: unknown) => this.#retryLater(error))
  }

  #write() {
    const state = { position: this.#outbox.position, failing_since: this.#failingSince, disabled: this.#disabled }
    return this.#update({ ...state, pending: this.#intake.pending })
  }

  /** Nothing is stored, and nothing delivered any more, when another node has taken the hook. */
  async #update(change: HookChange) {
    if ((await updateHook(this.#parts.db, this.row, change)) > 0) return
    this.#isStopped = true
    this.#onLost(this)
  }

  /** An error of this server's own: nothing is lost, and it is attempted again. */
  #retryLater(error: unknown) {
    if (this.#isStopped) return
    const { app, log } = this.#parts
    if (isUnavailable(error)) log.warn({ err: error, hook: this.row.id }, 'the database is not available to a hook')
    else log.error({ err: error, hook: this.row.id }, 'a hook cannot go on; trying again')
    const again = () => {
      this.#retry = undefined
      if (this.#isStopped) return
      if (this.#saver.isUnsaved) this.#saveLater()
      this.#start()
      this.wake()
    }
    this.#retry ??= app.clock.after(RETRY_MS, again).unref()
  }
}

import type { Duplex } from 'node:stream'

export interface Pace {
  /** Shortest pause between two frames, milliseconds: the client expects one frame per read. */
  readonly spacing: number
  /** Pause after a dialog, milliseconds, unless the client sends something before: it does not read while one is open. */
  readonly dialogPause: number
}

/** Delay of a timer from which on the machine counts as overloaded. */
const LATE_MS = 10
/** Most pauses after one frame: an overloaded machine must still deliver frames. */
const MAX_PAUSES = 5

/** Most queued notices. */
const MAX_NOTICES = 20
/** Most queued questions. */
const MAX_QUESTIONS = 20

interface Entry {
  readonly frame: Buffer
  /** Subject, for `retract` and for replacing a notice. */
  readonly about?: string
  readonly onWritten?: (() => void) | undefined
}

/**
 * Send queue of one original client, in an order and at a pace that it can handle. The client reads one frame at a time,
 * and none while a dialog is open. So lists and answers go first and dialogs last, and a question blocks the queue until
 * it is answered.
 */
export class PacedOutbox {
  readonly #socket: Duplex
  readonly #pace: Pace
  #list: Entry | undefined
  readonly #answers: Entry[] = []
  #messages: Entry[] = []
  #questions: Entry[] = []
  readonly #dialogs: Entry[] = []
  readonly #onDrained: () => void
  #size = 0
  /** Whether the client reads: from its first request for lists on. */
  #reads = false
  /** Whether a question waits for its answer. */
  #asking = false
  #writingSince: number | undefined
  /** Runs for the pause after a frame. */
  #spacingTimer: NodeJS.Timeout | undefined
  /** Runs while a dialog may be open. */
  #dialogTimer: NodeJS.Timeout | undefined
  /** Whether a dialog may still be open: the client takes one frame meanwhile, but not two. */
  #oneMore = false
  #stopped = false

  /** @param onDrained called after each written frame */
  constructor(socket: Duplex, pace: Pace, onDrained: () => void) {
    this.#socket = socket
    this.#pace = pace
    this.#onDrained = onDrained
  }

  /** Bytes that wait here and in the socket. */
  get size(): number {
    return this.#size + this.#socket.writableLength
  }

  /** Start of the write in progress, by performance.now(); undefined if there is none. */
  get writingSince(): number | undefined {
    return this.#writingSince
  }

  /** Writes a frame at once: the reply to a login, before which nothing is sent. */
  first(frame: Buffer) {
    this.#write({ frame })
  }

  /** Starts sending: the client reads from now on. */
  start() {
    this.#reads = true
    this.#pump()
  }

  /** Queues a contact list, replacing an older one. Sent before messages, since a list erases their unread marks. */
  list(frame: Buffer) {
    this.#size += frame.length - (this.#list?.frame.length ?? 0)
    this.#list = { frame }
    this.#pump()
  }

  answer(frame: Buffer) {
    this.#add(this.#answers, { frame })
  }

  message(frame: Buffer, about: string, onWritten?: () => void) {
    this.#add(this.#messages, { frame, about, onWritten })
  }

  /** Queues a question; once sent, it blocks the queue until `answered`. False if dropped, beyond MAX_QUESTIONS. */
  question(frame: Buffer, about: string): boolean {
    if (this.#questions.length >= MAX_QUESTIONS) return false
    this.#add(this.#questions, { frame, about })
    return true
  }

  /** Removes queued messages and questions with that subject. */
  retract(about: string) {
    const stays = (entry: Entry) => {
      if (entry.about !== about) return true
      this.#size -= entry.frame.length
      return false
    }
    this.#messages = this.#messages.filter(stays)
    this.#questions = this.#questions.filter(stays)
  }

  answered() {
    this.#asking = false
    this.#pump()
  }

  /** Queues a dialog, which the user must close. Consecutive identical ones are sent once. */
  dialog(frame: Buffer) {
    if (this.#dialogs.at(-1)?.frame.equals(frame)) return
    this.#add(this.#dialogs, { frame })
  }

  /**
   * Queues a dialog that the client did not request. It replaces a queued one with the same subject. Dropped beyond
   * MAX_NOTICES, since each may block the client for `dialogPause`.
   * @param about subject, such as one kind of action of one user
   */
  notice(frame: Buffer, about: string) {
    const waiting = this.#dialogs.findIndex((dialog) => dialog.about === about)
    const before = this.#dialogs[waiting]
    if (before !== undefined) {
      this.#dialogs[waiting] = { frame, about }
      this.#size += frame.length - before.frame.length
    } else if (this.#dialogs.filter((dialog) => dialog.about !== undefined).length < MAX_NOTICES)
      this.#add(this.#dialogs, { frame, about })
  }

  /** The client has sent something: no dialog is open, since a dialog is modal. */
  clientActive() {
    this.#oneMore = false
    clearTimeout(this.#dialogTimer)
    this.#dialogTimer = undefined
    this.#pump()
  }

  stop() {
    this.#stopped = true
    clearTimeout(this.#spacingTimer)
    clearTimeout(this.#dialogTimer)
  }

  /** Drops the queue, sends a last frame (after the usual pause) and ends the stream. */
  end(lastFrame?: Buffer) {
    const pausing = this.#spacingTimer !== undefined || this.#writingSince !== undefined
    this.stop()
    if (lastFrame === undefined || !this.#reads) this.#socket.end()
    else setTimeout(() => this.#socket.end(lastFrame), pausing ? this.#pace.spacing : 0)
  }

  #add(lane: Entry[], entry: Entry) {
    lane.push(entry)
    this.#size += entry.frame.length
    this.#pump()
  }

  #pump() {
    if (!this.#reads || this.#asking || this.#stopped || !this.#hasNext()) return
    if (this.#writingSince === undefined && this.#spacingTimer === undefined && this.#dialogTimer === undefined)
      this.#sendNext()
  }

  #hasNext(): boolean {
    const lanes = [this.#answers, this.#messages, this.#questions, this.#dialogs]
    return this.#list !== undefined || lanes.some(({ length }) => length > 0)
  }

  #sendNext() {
    if (this.#oneMore) this.#startDialogPause(false)
    const plain = this.#takeList() ?? this.#answers.shift() ?? this.#messages.shift()
    const question = plain === undefined ? this.#questions.shift() : undefined
    const dialog = plain === undefined && question === undefined ? this.#dialogs.shift() : undefined
    if (question !== undefined) this.#asking = true
    if (dialog !== undefined) this.#startDialogPause(true)
    const entry = (plain ?? question ?? dialog) as Entry
    this.#size -= entry.frame.length
    this.#write(entry)
  }

  #takeList(): Entry | undefined {
    const list = this.#list
    this.#list = undefined
    return list
  }

  #startDialogPause(oneMore: boolean) {
    this.#oneMore = oneMore
    this.#dialogTimer = setTimeout(() => {
      this.#dialogTimer = undefined
      this.#pump()
    }, this.#pace.dialogPause)
  }

  /**
   * Pauses after a frame. A timer that fires late does not count: the machine was overloaded, and a client on it may not
   * have read the frame.
   */
  #pause(tries: number) {
    const due = performance.now() + this.#pace.spacing
    this.#spacingTimer = setTimeout(() => {
      if (tries > 1 && performance.now() - due > LATE_MS) return this.#pause(tries - 1)
      this.#spacingTimer = undefined
      this.#pump()
    }, this.#pace.spacing)
  }

  #write({ frame, onWritten }: Entry) {
    this.#writingSince = performance.now()
    this.#socket.write(frame, (error) => {
      if (!error) afterTurn(() => this.#written(onWritten))
    })
  }

  #written(onWritten: (() => void) | undefined) {
    this.#writingSince = undefined
    if (this.#stopped) return
    this.#pause(MAX_PAUSES)
    onWritten?.()
    this.#onDrained()
  }
}

/**
 * Runs after one full turn of the event loop, at which the pause after a frame starts. Otherwise a busy process could use
 * up the pause before the frame has left, or before a reader in this process was run.
 */
const afterTurn = (act: () => void) => setImmediate(() => setImmediate(act))

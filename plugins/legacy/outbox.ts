import type { Duplex } from 'node:stream'

export interface Pace {
  /** Milliseconds between two frames at least: the client takes one read for one frame. */
  readonly spacing: number
  /** Milliseconds after a dialog, unless the client is heard of before: it does not read while one is open. */
  readonly dialogPause: number
}

/** A timer that is so late tells of a machine that is too busy. */
const LATE_MS = 10
/** Pauses at most behind one frame: on a machine that is always too busy a client still gets its frames. */
const PAUSES = 5

/** Dialogs about others that wait at most. */
const MAX_NOTICES = 20
/** Questions that wait at most. */
const MAX_QUESTIONS = 20

interface Entry {
  readonly frame: Buffer
  /** What it is about, to take it back by. */
  readonly about?: string
  readonly onWritten?: (() => void) | undefined
}

/**
 * Frames on their way to one original client, in the order and at the pace that it survives. It reads one frame at a
 * time and not at all while a dialog is open, which is why lists and answers go first, dialogs last, and a question
 * holds up everything until it is answered.
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
  /** From the client's first question for its lists on: before it does not read. */
  #reads = false
  #asking = false
  #writingSince: number | undefined
  /** Runs for the pause behind a frame. */
  #rest: NodeJS.Timeout | undefined
  /** Runs while a dialog may be open. */
  #quiet: NodeJS.Timeout | undefined
  /** A dialog may be open: one frame behind it is taken, two are not. */
  #oneMore = false
  #stopped = false

  /** @param onDrained told after each frame that was written */
  constructor(socket: Duplex, pace: Pace, onDrained: () => void) {
    this.#socket = socket
    this.#pace = pace
    this.#onDrained = onDrained
  }

  /** Bytes that wait here and in the socket. */
  get size(): number {
    return this.#size + this.#socket.writableLength
  }

  /** Since when the peer has not taken a frame, as performance.now() has it. */
  get writingSince(): number | undefined {
    return this.#writingSince
  }

  /** Past everything: the answer to the login, before which nothing else goes. */
  first(frame: Buffer) {
    this.#write({ frame })
  }

  /** The client reads from now on. */
  begin() {
    this.#reads = true
    this.#pump()
  }

  /** A contact list: the newest is the only one that counts, and goes before the messages, whose marks it wipes off. */
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

  /**
   * Something that the client certainly answers: until `answered` nothing else goes. False beyond MAX_QUESTIONS: it is
   * left out.
   */
  question(frame: Buffer, about: string): boolean {
    if (this.#questions.length >= MAX_QUESTIONS) return false
    this.#add(this.#questions, { frame, about })
    return true
  }

  /** Messages and questions about that which have not left are not to be sent any more. */
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

  /** Something that the user has to click away. The same one is not shown twice in a row. */
  dialog(frame: Buffer) {
    if (this.#dialogs.at(-1)?.frame.equals(frame)) return
    this.#add(this.#dialogs, { frame })
  }

  /**
   * A dialog that the client did not ask for. Of what is about the same, only the last one waits: it takes the place of
   * the one before. Beyond MAX_NOTICES a new one is left out, since each may stay open for as long as `dialogPause`.
   * @param about what one other user did, say: many acts of one user are one dialog
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

  /** The client sent something: it has no dialog open, since that takes all input. */
  heard() {
    this.#oneMore = false
    clearTimeout(this.#quiet)
    this.#quiet = undefined
    this.#pump()
  }

  stop() {
    this.#stopped = true
    clearTimeout(this.#rest)
    clearTimeout(this.#quiet)
  }

  /** Nothing more but these last words, spaced like any frame, and the end of the stream. */
  end(lastWords?: Buffer) {
    const pausing = this.#rest !== undefined || this.#writingSince !== undefined
    this.stop()
    if (lastWords === undefined || !this.#reads) this.#socket.end()
    else setTimeout(() => this.#socket.end(lastWords), pausing ? this.#pace.spacing : 0)
  }

  #add(lane: Entry[], entry: Entry) {
    lane.push(entry)
    this.#size += entry.frame.length
    this.#pump()
  }

  #pump() {
    if (!this.#reads || this.#asking || this.#stopped || !this.#hasNext()) return
    if (this.#writingSince === undefined && this.#rest === undefined && this.#quiet === undefined) this.#next()
  }

  #hasNext(): boolean {
    const lanes = [this.#answers, this.#messages, this.#questions, this.#dialogs]
    return this.#list !== undefined || lanes.some(({ length }) => length > 0)
  }

  #next() {
    if (this.#oneMore) this.#beQuiet(false)
    const plain = this.#takeList() ?? this.#answers.shift() ?? this.#messages.shift()
    const question = plain === undefined ? this.#questions.shift() : undefined
    const dialog = plain === undefined && question === undefined ? this.#dialogs.shift() : undefined
    if (question !== undefined) this.#asking = true
    if (dialog !== undefined) this.#beQuiet(true)
    const entry = (plain ?? question ?? dialog) as Entry
    this.#size -= entry.frame.length
    this.#write(entry)
  }

  #takeList(): Entry | undefined {
    const list = this.#list
    this.#list = undefined
    return list
  }

  #beQuiet(oneMore: boolean) {
    this.#oneMore = oneMore
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined
      this.#pump()
    }, this.#pace.dialogPause)
  }

  /**
   * The pause behind a frame. One that took too long does not count: this machine was held up, and so perhaps was the
   * client on it, which has not read the frame then.
   */
  #pause(tries: number) {
    const due = performance.now() + this.#pace.spacing
    this.#rest = setTimeout(() => {
      if (tries > 1 && performance.now() - due > LATE_MS) return this.#pause(tries - 1)
      this.#rest = undefined
      this.#pump()
    }, this.#pace.spacing)
  }

  #write({ frame, onWritten }: Entry) {
    this.#writingSince = performance.now()
    this.#socket.write(frame, (error) => {
      if (!error) afterATurn(() => this.#written(onWritten))
    })
  }

  #written(onWritten: (() => void) | undefined) {
    this.#writingSince = undefined
    if (this.#stopped) return
    this.#pause(PAUSES)
    onWritten?.()
    this.#onDrained()
  }
}

/**
 * After the event loop has been everywhere once. The pause behind a frame begins then: it must not be used up by this
 * process being busy, while the frame has perhaps not left the machine, or its reader lives in this very process.
 */
const afterATurn = (act: () => void) => setImmediate(() => setImmediate(act))

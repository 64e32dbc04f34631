import type { Socket } from 'node:net'

export interface Pace {
  /** Milliseconds between two frames at least: the client takes one read for one frame. */
  readonly spacing: number
  /** Milliseconds after a dialog, unless the client is heard of before: it does not read while one is open. */
  readonly dialogPause: number
}

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
  readonly #socket: Socket
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
  #lastWritten = Number.NEGATIVE_INFINITY
  #quietUntil = Number.NEGATIVE_INFINITY
  /** A dialog may be open: one frame behind it is taken, two are not. */
  #oneMore = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined

  /** @param onDrained told after each frame that was written */
  constructor(socket: Socket, pace: Pace, onDrained: () => void) {
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

  /** Something that the client certainly answers: until `answered` nothing else goes. */
  question(frame: Buffer, about: string) {
    this.#add(this.#questions, { frame, about })
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

  /** The client sent something: it has no dialog open, since that takes all input. */
  heard() {
    this.#quietUntil = Number.NEGATIVE_INFINITY
    this.#oneMore = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pump()
  }

  stop() {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Nothing more but these last words, spaced like any frame, and the end of the stream. */
  end(lastWords?: Buffer) {
    this.stop()
    if (lastWords === undefined || !this.#reads) return void this.#socket.end()
    const since = this.#writingSince === undefined ? this.#lastWritten : performance.now()
    setTimeout(() => this.#socket.end(lastWords), since + this.#pace.spacing - performance.now())
  }

  #add(lane: Entry[], entry: Entry) {
    lane.push(entry)
    this.#size += entry.frame.length
    this.#pump()
  }

  #pump() {
    if (!this.#reads || this.#asking || this.#stopped || this.#timer !== undefined) return
    if (this.#writingSince !== undefined || !this.#hasNext()) return
    const wait = Math.max(this.#lastWritten + this.#pace.spacing, this.#quietUntil) - performance.now()
    if (wait > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#pump()
      }, wait)
      return
    }
    this.#next()
  }

  #hasNext(): boolean {
    const lanes = [this.#answers, this.#messages, this.#questions, this.#dialogs]
    return this.#list !== undefined || lanes.some(({ length }) => length > 0)
  }

  #next() {
    if (this.#oneMore) this.#quiet(false)
    const plain = this.#takeList() ?? this.#answers.shift() ?? this.#messages.shift()
    const question = plain === undefined ? this.#questions.shift() : undefined
    const dialog = plain === undefined && question === undefined ? this.#dialogs.shift() : undefined
    if (question !== undefined) this.#asking = true
    if (dialog !== undefined) this.#quiet(true)
    const entry = (plain ?? question ?? dialog) as Entry
    this.#size -= entry.frame.length
    this.#write(entry)
  }

  #takeList(): Entry | undefined {
    const list = this.#list
    this.#list = undefined
    return list
  }

  #quiet(oneMore: boolean) {
    this.#quietUntil = performance.now() + this.#pace.dialogPause
    this.#oneMore = oneMore
  }

  #write({ frame, onWritten }: Entry) {
    this.#writingSince = performance.now()
    this.#socket.write(frame, (error) => {
      if (!error) afterATurn(() => this.#written(onWritten))
    })
  }

  #written(onWritten: (() => void) | undefined) {
    this.#writingSince = undefined
    this.#lastWritten = performance.now()
    onWritten?.()
    this.#onDrained()
    this.#pump()
  }
}

/**
 * After the event loop has been everywhere once. The pause behind a frame begins then: it must not be used up by this
 * process being busy, while the frame has perhaps not left the machine, or its reader lives in this very process.
 */
const afterATurn = (act: () => void) => setImmediate(() => setImmediate(act))
